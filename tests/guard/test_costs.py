import subprocess
import sys

import pytest

from tests.guard.record import ROOT

_WITHIN_S = 600.0


@pytest.mark.timeout(_WITHIN_S + 10)
def test_no_hop_has_become_dearer_than_what_is_recorded() -> None:
    """In a process of its own: what the tests before it left behind would be counted too."""
    guard = subprocess.run(
        [sys.executable, "-m", "tests.guard"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_WITHIN_S,
        check=False,
    )
    print(guard.stdout)
    assert guard.returncode == 0, guard.stdout
