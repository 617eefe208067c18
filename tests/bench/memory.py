"""Resident memory of our processes over time, read from /proc."""

import os
import time
from pathlib import Path

from tests.bench.family import Running, all_running, family_of

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_PROCESSES = ("services.user", "services.planner", "services.dispatcher")


class MemoryLog:
    """Notes how much memory each process holds whenever it is told to look."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self._series: dict[str, list[tuple[float, float]]] = {}

    def look(self) -> None:
        """Note the resident set of every process of ours that this one started."""
        passed_s = round(time.perf_counter() - self._started_s, 1)
        for one in family_of(os.getpid(), all_running()):
            name = next((name for name in _PROCESSES if name in one.command.split()), None)
            mib = _resident_mib(one)
            if name is not None and mib is not None:
                self._series.setdefault(f"{name} ({one.pid})", []).append((passed_s, mib))

    def series(self) -> dict[str, list[tuple[float, float]]]:
        """Return (seconds, MiB) by process."""
        return self._series

    def most(self) -> float:
        """Return the largest resident set of any one process seen, in MiB."""
        return max((mib for values in self._series.values() for _, mib in values), default=0.0)


def _resident_mib(one: Running) -> float | None:
    try:
        pages = int(Path(f"/proc/{one.pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return round(pages * _PAGE_MIB, 1)
