"""Make `.venv` hold exactly what requirements/dev.lock says; run before every make target."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.native import packages
from deploy.native.errors import CannotContinueError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
LOCK = ROOT / "requirements" / "dev.lock"
OLDEST = (3, 11)
NEWEST_FIRST = ("python3.14", "python3.13", "python3.12", "python3.11")


def main() -> int:
    """Bring `.venv` up to date and return the exit status; quick when there is nothing to do."""
    try:
        if sys.version_info < OLDEST:
            _continue_under_a_newer_python()
        bring_up_to_date(VENV, LOCK)
    except CannotContinueError as problem:
        print(f"jubilee: {problem}", file=sys.stderr)
        return 1
    except (OSError, subprocess.SubprocessError) as problem:
        print(f"jubilee: preparing {VENV} failed: {problem}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def bring_up_to_date(venv: Path, lock: Path) -> None:
    """Install ``lock`` into ``venv`` unless the stamp says that exactly this was done before.

    The stamp is written last, so an interrupted installation is taken up again by the next call.
    Concurrent calls wait for each other.
    """
    stamp = venv / ".installed-lock"
    wanted = _fingerprint(lock)
    if _is_current(stamp, wanted):
        return
    with _alone(lock):
        if _is_current(stamp, wanted):
            return
        _create(venv)
        _install(venv, lock)
        stamp.write_text(wanted)


def _fingerprint(lock: Path) -> str:
    return hashlib.sha256(lock.read_bytes()).hexdigest()


def _is_current(stamp: Path, wanted: str) -> bool:
    python = stamp.parent / "bin" / "python"
    return stamp.is_file() and stamp.read_text() == wanted and python.exists()


@contextlib.contextmanager
def _alone(lock: Path) -> Iterator[None]:
    with lock.open() as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _create(venv: Path) -> None:
    python = venv / "bin" / "python"
    if _works(python, "-m", "pip", "--version"):
        return
    if not _works(Path(sys.executable), "-c", "import ensurepip, venv"):
        version = f"python3.{sys.version_info.minor}"
        packages.install(
            [f"{version}-venv"],
            otherwise="call `make PYTHON=/path/to/it ...` with a Python that brings ensurepip",
            soon=packages.SERVICES,
        )
    if _works(python, "-c", "pass"):
        _run([str(python), "-m", "ensurepip", "--default-pip"], "putting pip into .venv")
    else:
        _say(f"creating {venv}")
        _run([sys.executable, "-m", "venv", "--clear", str(venv)], "creating .venv")


def _install(venv: Path, lock: Path) -> None:
    _say(f"installing {lock.relative_to(lock.parents[1])} into {venv} (once per lock)")
    pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    quiet = ["--disable-pip-version-check", "--no-input", "--progress-bar", "off"]
    _run([*pip, *quiet, "--require-hashes", "-r", str(lock)], f"installing {lock.name}")


def _run(command: list[str], purpose: str) -> None:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        told = "\n  ".join(lines[-5:])
        raise CannotContinueError(
            f"{purpose} failed; is pip configured for a package index it can reach?\n  {told}"
        )


def _works(python: Path, *arguments: str) -> bool:
    try:
        done = subprocess.run([str(python), *arguments], check=False, capture_output=True)
    except OSError:
        return False
    return done.returncode == 0


def _continue_under_a_newer_python() -> None:
    for name in NEWEST_FIRST:
        found = shutil.which(name)
        if found:
            os.execv(found, [found, "-m", "deploy.native.bootstrap"])  # noqa: S606
    raise CannotContinueError(
        f"Python 3.11 or newer is needed and python3 is {sys.version.split()[0]}; "
        "install one and call `make PYTHON=/path/to/it ...`"
    )


def _say(text: str) -> None:
    print(f"jubilee: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
