"""Kills processes in the middle of a burst of mails, and starts them again."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from deploy.demo.fleet import start_again
from deploy.demo.timetable import FIRST_NINE
from deploy.demo.witness_clock import WitnessClock
from deploy.native.processes import System

KILLS: tuple[tuple[float, str], ...] = (
    (4.5, "dispatcher-1"),
    (8.0, "dispatcher-relay"),
    (10.5, "dispatcher-2"),
    (13.5, "planner"),
    (16.5, "dispatcher-1"),
    (19.0, "dispatcher-relay"),
    (20.5, "dispatcher-2"),
)
"""After how many hours of the world day which process is killed."""

_BURST_WITHIN_S = 4.0
_LOOK_EVERY_S = 0.002
_DOWN_S = 0.7

Note = Callable[[str], None]


async def kill_and_revive(system: System, clock: WitnessClock, ledger: Path, note: Note) -> None:
    """Go through ``KILLS``; ``note`` hears of each death and each return."""
    for hours, name in KILLS:
        await _calendar_reaches(FIRST_NINE + timedelta(hours=hours), clock)
        await _burst(ledger)
        system.kill(name)
        note(f"SIGKILL {name}")
        killed_s = time.monotonic()
        await asyncio.sleep(_DOWN_S)
        await start_again(system, name)
        note(f"{name} is back after {time.monotonic() - killed_s:.1f} s")


async def _calendar_reaches(instant: datetime, clock: WitnessClock) -> None:
    await asyncio.sleep(max(0.0, clock.real_at(instant) - time.time()))


async def _burst(ledger: Path) -> None:
    """Return in the moment in which mails begin to arrive, or after a few seconds without any."""
    began_bytes = _size(ledger)
    until_s = time.monotonic() + _BURST_WITHIN_S
    while _size(ledger) == began_bytes and time.monotonic() < until_s:  # noqa: ASYNC110
        await asyncio.sleep(_LOOK_EVERY_S)


def _size(ledger: Path) -> int:
    return ledger.stat().st_size if ledger.exists() else 0
