"""An environment, really made by the installer of packages."""

from pathlib import Path

import pytest

from deploy.native.bootstrap import bring_up_to_date
from deploy.native.errors import CannotContinueError


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an empty lock beside an environment that was made from it."""
    lock = tmp_path_factory.mktemp("checkout") / "requirements" / "dev.lock"
    lock.parent.mkdir()
    lock.write_text("# nothing\n")
    bring_up_to_date(_environment(lock), lock)
    return lock


def _environment(lock: Path) -> Path:
    return lock.parents[1] / ".venv"


def test_an_environment_made_from_the_same_lock_is_left_alone(lock: Path) -> None:
    venv = _environment(lock)
    before = {path: path.stat().st_mtime_ns for path in venv.rglob("*")}
    bring_up_to_date(venv, lock)
    assert {path: path.stat().st_mtime_ns for path in venv.rglob("*")} == before


def test_a_lock_that_cannot_be_installed_is_not_taken_for_installed(lock: Path) -> None:
    # Without a hash it is refused before any index is asked.
    lock.write_text("no-such-distribution==1.0\n")
    for _ in range(2):
        with pytest.raises(CannotContinueError, match="installing dev"):
            bring_up_to_date(_environment(lock), lock)
