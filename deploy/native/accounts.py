"""Running PostgreSQL, which refuses root, from a command that is root."""

import hashlib
import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from deploy.native.errors import CannotContinueError

ACCOUNTS = ("postgres", "nobody")
ELSEWHERE = Path("/var/tmp")  # noqa: S108 - persistent, and every account may enter it


@dataclass(frozen=True)
class Quarters:
    """Where an unprivileged server lives: its own folder and what its commands begin with."""

    home: Path
    prefix: tuple[str, ...] = ()

    @property
    def data(self) -> Path:
        """The data folder; inside ``home``, so that other files can lie beside it."""
        return self.home / "data"


def new_quarters(wanted: Path) -> Quarters:
    """Return where PostgreSQL may live, the folder made, and under which account it runs there.

    Nobody special: ``wanted`` itself. For root the first way that works: a user namespace that
    shows root's files as the account's (the checkout may lie anywhere), else the account itself,
    its data moved below /var/tmp when it may not enter the checkout.

    Raises:
        CannotContinueError: neither is possible here.
    """
    wanted.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return Quarters(wanted)
    account = _account()
    namespace = _namespace(account)
    if namespace is not None:
        return Quarters(wanted, namespace)
    switch = _switch(account)
    home = wanted if _may_enter(switch, wanted) else _shelter(wanted, account)
    os.chown(home, account.pw_uid, account.pw_gid)
    return Quarters(home, switch)


def settled_quarters(home: Path) -> Quarters:
    """Return how to run commands on quarters that exist already: as their owner."""
    owner = home.stat().st_uid
    if os.geteuid() != 0:
        return Quarters(home)
    if owner != 0:
        return Quarters(home, _switch(pwd.getpwuid(owner)))
    namespace = _namespace(_account())
    if namespace is None:
        raise CannotContinueError(
            f"{home} was made in a user namespace, which is no longer allowed here; "
            "`make reset` and begin again, or give the *_DATABASE_URL of a server of yours"
        )
    return Quarters(home, namespace)


def _account() -> pwd.struct_passwd:
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    for name in ACCOUNTS:
        if name in known:
            return known[name]
    raise CannotContinueError(
        "PostgreSQL refuses root and there is no account `postgres` or `nobody` here; "
        "run this as an ordinary user, or give the *_DATABASE_URL of a server of yours"
    )


def _namespace(account: pwd.struct_passwd) -> tuple[str, ...] | None:
    prefix = (
        "unshare",
        "--user",
        f"--map-user={account.pw_uid}",
        f"--map-group={account.pw_gid}",
    )
    return prefix if _succeeds(*prefix, "true") else None


def _switch(account: pwd.struct_passwd) -> tuple[str, ...]:
    prefix = (
        "setpriv",
        f"--reuid={account.pw_uid}",
        f"--regid={account.pw_gid}",
        "--clear-groups",
    )
    if not _succeeds(*prefix, "true"):
        raise CannotContinueError(
            f"PostgreSQL refuses root and I may not become `{account.pw_name}` here; "
            "run this as an ordinary user, or give the *_DATABASE_URL of a server of yours"
        )
    return prefix


def _may_enter(prefix: tuple[str, ...], folder: Path) -> bool:
    return _succeeds(*prefix, "test", "-x", str(folder))


def _shelter(wanted: Path, account: pwd.struct_passwd) -> Path:
    """Return a folder of the account below /var/tmp, named after the one it stands in for."""
    name = hashlib.sha256(str(wanted).encode()).hexdigest()[:12]
    shelter = ELSEWHERE / f"jubilee-{name}"
    shelter.mkdir(mode=0o700, exist_ok=True)
    if shelter.is_symlink() or shelter.stat().st_uid not in {0, account.pw_uid}:
        raise CannotContinueError(f"{shelter} belongs to somebody else; remove it and try again")
    return shelter


def _succeeds(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, check=False, cwd="/").returncode == 0
    except OSError:
        return False
