"""Every edge case of docs/edge-cases.md is decided by a test that bears its id."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
ID = re.compile(r"EC-[A-Z]+-\d{3}")


def listed() -> set[str]:
    rows = re.findall(r"^\| (EC-\S+) \|", (ROOT / "docs/edge-cases.md").read_text(), re.MULTILINE)
    assert len(rows) == len(set(rows)) == 275
    return set(rows)


@cache
def collected() -> set[str]:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    parameters = (line.partition("[")[2] for line in done.stdout.splitlines() if "::" in line)
    return {name for parameter in parameters for name in ID.findall(parameter)}


def test_every_edge_case_has_a_test_that_bears_its_id() -> None:
    assert sorted(listed() - collected()) == []


def test_no_test_bears_an_id_that_is_not_listed() -> None:
    assert sorted(collected() - listed()) == []
