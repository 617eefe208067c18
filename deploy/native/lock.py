"""``python -m deploy.native.lock``: resolve requirements/*.in into hash-pinned lock files.

The locks hold for Linux and macOS, x86-64 and arm64, Python 3.11 and newer, and name no index:
where packages come from is the business of the machine that installs them.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from deploy.native.instance import ROOT

NAMES = ("runtime", "dev", "rivals")
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-annotate",
    "--no-header",
    "--quiet",
)


def main() -> int:
    """Write all locks, or none of them if an address got into one."""
    uv = _uv(ROOT / ".local" / "uv")
    drafts = {name: _resolve(uv, name) for name in NAMES}
    for name, text in drafts.items():
        if "://" in text or "file:" in text:
            print(f"jubilee: an address got into {name}.lock; nothing written", file=sys.stderr)
            return 1
    for name, text in drafts.items():
        (ROOT / "requirements" / f"{name}.lock").write_text(text)
        print(f"requirements/{name}.lock: {text.count('==')} packages")
    return 0


def _uv(home: Path) -> Path:
    """Return the resolver, installed beside the project and not into its environment."""
    program = home / "bin" / "uv"
    if not program.exists():
        subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
        pip = [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"]
        subprocess.run(pip, check=True)
    return program


def _resolve(uv: Path, name: str) -> str:
    """Return the lock for one list; what is locked already stays where it can.

    Folders of local wheels hold builds for one machine only, so they are left out.
    """
    environ = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    existing = ROOT / "requirements" / f"{name}.lock"
    with tempfile.TemporaryDirectory() as scratch:
        draft = Path(scratch) / existing.name
        draft.write_text(existing.read_text() if existing.exists() else "")
        source = f"requirements/{name}.in"
        command = [str(uv), "pip", "compile", *OPTIONS, source, "--output-file", str(draft)]
        subprocess.run(command, check=True, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
        return draft.read_text()


if __name__ == "__main__":
    sys.exit(main())
