"""CPU time by group of processes, servers included, read from /proc."""

import os
import time
from pathlib import Path

import msgspec

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_GROUPS = (
    ("services.user", "user"),
    ("services.planner", "planner"),
    ("services.dispatcher", "dispatcher"),
    ("deploy.demo.inbox", "provider stub"),
    ("_worker", "rival"),
    ("tests.bench", "bench"),
    ("postgres", "postgresql"),
    ("beam", "rabbitmq"),
)


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
        self._before = _cpu_by_process()

    def read(self) -> Usage:
        """Return what was used since the meter was made; ended processes count while they ran."""
        wall_s = time.perf_counter() - self._started_s
        by_group: dict[str, float] = {}
        for process, (group, ticks) in _cpu_by_process().items():
            before = self._before.get(process, (group, 0))[1]
            by_group[group] = by_group.get(group, 0.0) + (ticks - before) / _TICKS_PER_S
        return Usage(wall_s, {group: round(cpu, 3) for group, cpu in by_group.items() if cpu})


def _cpu_by_process() -> dict[tuple[str, str], tuple[str, int]]:
    """Return group and ticks by (process id, start time) of all processes of known groups."""
    return dict(filter(None, (_read(folder) for folder in Path("/proc").glob("[0-9]*"))))


def _read(folder: Path) -> tuple[tuple[str, str], tuple[str, int]] | None:
    try:
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        fields = (folder / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    group = next((group for part, group in _GROUPS if part in command), None)
    if group is None:
        return None
    return (folder.name, fields[19]), (group, int(fields[11]) + int(fields[12]))


def reference_loop_s() -> float:
    """Return the CPU seconds of a fixed piece of arithmetic: how fast this machine is now."""
    started_s = time.process_time()
    total = 0
    for number in range(3_000_000):
        total += number * number % 7
    return time.process_time() - started_s
