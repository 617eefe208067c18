"""CPU time by group of processes of this run, its servers included, read from /proc.

Others use the machine too. A process is of this run if it descends from the benchmark, or from a
server that listens where the run's environment says; servers that listen elsewhere are not.
"""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_SERVERS = (("postgres", "postgresql"), ("beam", "rabbitmq"))
_GROUPS = (
    ("services.user", "user"),
    ("services.planner", "planner"),
    ("services.dispatcher", "dispatcher"),
    ("deploy.demo.inbox", "provider stub"),
    ("_worker", "rival"),
    ("tests.bench", "bench"),
    *_SERVERS,
)
_URLS = ("JUBILEE_TEST_DATABASE_URL", "JUBILEE_TEST_BROKER_URL")
_LISTENING = "0A"


class _Process(msgspec.Struct, frozen=True):
    """One line of the process table; a process id alone may be used again."""

    process_id: int
    started: str
    parent_id: int
    group: str
    ticks: int


class Usage(msgspec.Struct, frozen=True):
    """What a span of work cost: real seconds, and CPU seconds by group."""

    wall_s: float
    cpu_s: dict[str, float]

    def total_s(self) -> float:
        """Return the CPU seconds of all processes but the benchmark's own."""
        return sum(cpu for group, cpu in self.cpu_s.items() if group != "bench")


class Meter:
    """Measures from its making until ``read``."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self._roots = [os.getpid(), *_servers_of_this_run()]
        self._before = self._ticks()

    def read(self) -> Usage:
        """Return what was used since the meter was made; ended processes count while they ran."""
        wall_s = time.perf_counter() - self._started_s
        by_group: dict[str, float] = {}
        for process, ticks in self._ticks().items():
            spent_s = (ticks - self._before.get(process, 0)) / _TICKS_PER_S
            by_group[process[2]] = by_group.get(process[2], 0.0) + spent_s
        return Usage(wall_s, {group: round(cpu, 3) for group, cpu in by_group.items() if cpu})

    def _ticks(self) -> dict[tuple[int, str, str], int]:
        return {
            (process.process_id, process.started, process.group): process.ticks
            for process in _descendants(self._roots, _processes())
            if process.group
        }


def _servers_of_this_run() -> list[int]:
    """Return the servers that listen on the environment's ports; all there are where none does.

    Servers in containers listen through another process, on a machine nobody shares.
    """
    servers = {name for _, name in _SERVERS}
    running = [process.process_id for process in _processes().values() if process.group in servers]
    sockets = _listening_sockets({urlsplit(os.environ.get(name, "")).port for name in _URLS})
    return [each for each in running if not sockets.isdisjoint(_open_files(each))] or running


def _listening_sockets(ports: Iterable[int | None]) -> set[str]:
    endings = tuple(f":{port:04X}" for port in ports if port is not None)
    lines = [
        line.split()
        for table in ("tcp", "tcp6")
        if (path := Path("/proc/net", table)).exists()
        for line in path.read_text().splitlines()[1:]
    ]
    return {
        f"socket:[{fields[9]}]"
        for fields in lines
        if fields[3] == _LISTENING and fields[1].endswith(endings)
    }


def _open_files(process_id: int) -> set[str]:
    try:
        return {str(entry.readlink()) for entry in Path(f"/proc/{process_id}/fd").iterdir()}
    except OSError:
        return set()


def _descendants(roots: Iterable[int], processes: Mapping[int, _Process]) -> list[_Process]:
    children: dict[int, list[_Process]] = {}
    for process in processes.values():
        children.setdefault(process.parent_id, []).append(process)
    found = {each: processes[each] for each in roots if each in processes}
    waiting = list(found)
    while waiting:
        for child in children.get(waiting.pop(), []):
            if child.process_id not in found:
                found[child.process_id] = child
                waiting.append(child.process_id)
    return list(found.values())


def _processes() -> dict[int, _Process]:
    read = filter(None, (_read(folder) for folder in Path("/proc").glob("[0-9]*")))
    return {process.process_id: process for process in read}


def _read(folder: Path) -> _Process | None:
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return _Process(
        process_id=int(folder.name),
        started=fields[19],
        parent_id=int(fields[1]),
        group=next((group for part, group in _GROUPS if part in command), ""),
        ticks=int(fields[11]) + int(fields[12]),
    )


def reference_loop_s() -> float:
    """Return the CPU seconds of a fixed piece of arithmetic: how fast this machine is now."""
    started_s = time.process_time()
    total = 0
    for number in range(3_000_000):
        total += number * number % 7
    return time.process_time() - started_s
