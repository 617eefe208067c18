"""Resident memory of our processes over time, read from /proc."""

import os
import time
from pathlib import Path

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20
_PROCESSES = ("services.user", "services.planner", "services.dispatcher")


class MemoryLog:
    """Notes how much memory each process holds whenever it is told to look."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()
        self._series: dict[str, list[tuple[float, float]]] = {}

    def look(self) -> None:
        """Note the resident set of every process of ours that runs now."""
        passed_s = round(time.perf_counter() - self._started_s, 1)
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                command = (folder / "cmdline").read_bytes().split(b"\0")
                pages = int((folder / "statm").read_text().split()[1])
            except (OSError, IndexError):
                continue
            name = next((part.decode() for part in command if part.decode() in _PROCESSES), None)
            if name is not None:
                key = f"{name} ({folder.name})"
                self._series.setdefault(key, []).append((passed_s, round(pages * _PAGE_MIB, 1)))

    def series(self) -> dict[str, list[tuple[float, float]]]:
        """Return (seconds, MiB) by process."""
        return self._series

    def most(self) -> float:
        """Return the largest resident set of any one process seen, in MiB."""
        return max((mib for values in self._series.values() for _, mib in values), default=0.0)
