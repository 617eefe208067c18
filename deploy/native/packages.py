"""Installing system packages with apt-get, without letting their services start."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from deploy.native.errors import CannotContinueError

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_SETTINGS = Path("/etc/postgresql-common/createcluster.d/jubilee.conf")
SERVICES = ("postgresql", "rabbitmq-server")
APT = ("apt-get", "-qq", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Use-Pty=0")


def install(names: list[str], *, otherwise: str, soon: tuple[str, ...] = ()) -> None:
    """Install Debian packages as root or through sudo; say which before, ask nothing.

    Services the packages bring are neither started now nor enabled for the next boot, and no
    default PostgreSQL cluster is created.

    Raises:
        CannotContinueError: apt-get or the right to use it is missing, or it failed;
            ``otherwise`` is the way out that the sentence names, ``soon`` what it offers to install
            along with them.
    """
    root = _way_to_root()
    if shutil.which("apt-get") is None or root is None:
        raise CannotContinueError(_without_root(names, otherwise, soon))
    print(
        f"jubilee: installing {', '.join(names)} with apt-get (their own services are not started)",
        file=sys.stderr,
        flush=True,
    )
    with _services_kept_still(root):
        _call([*root, *APT, "update"], otherwise)
        noninteractive = ["env", "DEBIAN_FRONTEND=noninteractive"]
        _call(
            [*root, *noninteractive, *APT, "install", "-y", "--no-install-recommends", *names],
            otherwise,
        )
    _keep_disabled(root, [name for name in names if name in SERVICES])


def _without_root(names: list[str], otherwise: str, soon: tuple[str, ...]) -> str:
    missing = f"{' and '.join(names)} {'is' if len(names) == 1 else 'are'} missing"
    if shutil.which("apt-get") is None:
        return f"{missing}, and there is no apt-get to install it with: {otherwise}"
    return (
        f"{missing}, and installing takes root, or sudo without a password. Do it once yourself:\n"
        f"  sudo apt-get install --no-install-recommends {' '.join([*names, *soon])}\n"
        f"or {otherwise}"
    )


def _way_to_root() -> list[str] | None:
    if os.geteuid() == 0:
        return []
    sudo = ["sudo", "-n"]
    if (
        shutil.which("sudo")
        and subprocess.run([*sudo, "true"], capture_output=True, check=False).returncode == 0
    ):
        return sudo
    return None


@contextlib.contextmanager
def _services_kept_still(root: list[str]) -> Iterator[None]:
    """Forbid service starts while the block runs; files that existed before come back."""
    before = {path: _read(path) for path in (POLICY, CLUSTER_SETTINGS)}
    try:
        _write(root, POLICY, "#!/bin/sh\nexit 101\n", mode="755")
        _write(root, CLUSTER_SETTINGS, "create_main_cluster = false\n", mode="644")
        yield
    finally:
        for path, text in before.items():
            if text is None:
                subprocess.run([*root, "rm", "-f", str(path)], check=False)
            else:
                _write(root, path, text, mode="755" if path == POLICY else "644")


def _read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def _write(root: list[str], path: Path, text: str, *, mode: str) -> None:
    subprocess.run([*root, "mkdir", "-p", str(path.parent)], check=True)
    command = [*root, "tee", str(path)]
    subprocess.run(command, input=text, text=True, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*root, "chmod", mode, str(path)], check=True)


def _keep_disabled(root: list[str], services: list[str]) -> None:
    if services and shutil.which("systemctl"):
        command = [*root, "systemctl", "disable", "--quiet", *services]
        subprocess.run(command, check=False, capture_output=True)


def _call(command: list[str], otherwise: str) -> None:
    done = subprocess.run(
        command, check=False, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode != 0:
        lines = (done.stdout + done.stderr).strip().splitlines() or ["it said nothing"]
        raise CannotContinueError(
            f"`{' '.join(command)}` failed ({lines[-1].strip()}); mend that, or {otherwise}"
        )
