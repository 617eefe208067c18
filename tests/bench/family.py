"""The processes of this run among all others of the machine, read from /proc."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

_LISTENING = "0A"


class Running(msgspec.Struct, frozen=True):
    """One process as it was when looked at; CPU in clock ticks."""

    pid: int
    parent: int
    command: str
    started: str
    ticks: int
    ticks_of_ended_children: int


def all_running() -> dict[int, Running]:
    """Return every process of the machine by its id."""
    found = (_read(folder) for folder in Path("/proc").glob("[0-9]*"))
    return {one.pid: one for one in found if one is not None}


def family_of(head: int, running: Mapping[int, Running]) -> list[Running]:
    """Return the process ``head`` and all its descendants, parents before their children."""
    children: dict[int, list[Running]] = {}
    for one in running.values():
        children.setdefault(one.parent, []).append(one)
    family = [running[head]] if head in running else []
    for one in family:
        family.extend(children.get(one.pid, ()))
    return family


def find_listener(port: int) -> int | None:
    """Return the oldest process that listens on ``port``; None where it is not ours to see.

    A server in a container, or of another account, is not.
    """
    sockets = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not sockets:
        return None
    pids = sorted(int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return next((pid for pid in pids if sockets & _open_files(pid)), None)


def _read(folder: Path) -> Running | None:
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return Running(
        pid=int(folder.name),
        parent=int(fields[1]),
        command=command,
        started=fields[19],
        ticks=int(fields[11]) + int(fields[12]),
        ticks_of_ended_children=int(fields[13]) + int(fields[14]),
    )


def _listening_inodes(port: int) -> set[str]:
    inodes = set()
    for table in ("tcp", "tcp6"):
        path = Path("/proc/net") / table
        for line in path.read_text().splitlines()[1:] if path.exists() else ():
            fields = line.split()
            if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                inodes.add(fields[9])
    return inodes


def _open_files(pid: int) -> set[str]:
    names = set()
    try:
        for link in Path(f"/proc/{pid}/fd").iterdir():
            names.add(str(link.readlink()))
    except OSError:
        return names
    return names
