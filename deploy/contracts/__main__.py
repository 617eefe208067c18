"""`python -m deploy.contracts [--check]`: write the published contracts, or say what drifted."""

import argparse
import sys
from pathlib import Path

from deploy.contracts.documents import documents

PUBLISHED = Path(__file__).parents[2] / "contracts" / "published"


def main() -> int:
    """Write the files; with ``--check`` write nothing and return 1 if any would change."""
    parser = argparse.ArgumentParser(prog="python -m deploy.contracts", description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say what would change")
    drifted = drift()
    if parser.parse_args().check:
        for name in drifted:
            print(f"contracts/published/{name} differs from the code: run `make contracts`")
        return 1 if drifted else 0
    write()
    print(f"contracts/published: {len(drifted)} files changed")
    return 0


def drift() -> list[str]:
    """Return the names of files that differ from the code, missing and superfluous ones too."""
    wanted = documents()
    there = {
        str(path.relative_to(PUBLISHED)): path.read_text(encoding="utf-8")
        for path in PUBLISHED.rglob("*")
        if path.is_file()
    }
    names = wanted.keys() | there.keys()
    return sorted(name for name in names if wanted.get(name) != there.get(name))


def write() -> None:
    """Bring the folder up to date; superfluous files are removed."""
    wanted = documents()
    for name in drift():
        path = PUBLISHED / name
        if name in wanted:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[name], encoding="utf-8")
        else:
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
