"""A day's account: it balances when owed equals the sum of what became of everything."""

from collections.abc import Iterable
from datetime import date

import msgspec

from services.planner.domain.state import State


class Entry(msgspec.Struct, frozen=True):
    """How many occurrences of a day and kind are in a state for a reason."""

    local_day: date
    kind: str
    state: State
    reason: str | None
    count: int


class Totals(msgspec.Struct, frozen=True):
    """``owed`` is the sum of all others; ``failed`` were refused, ``pending`` still wait."""

    owed: int = 0
    accepted: int = 0
    failed: int = 0
    suppressed: int = 0
    expired: int = 0
    cancelled: int = 0
    unknown: int = 0
    pending: int = 0


_COLUMNS: dict[State, str] = {
    "waiting": "pending",
    "released": "pending",
    "deferred": "pending",
    "accepted": "accepted",
    "refused": "failed",
    "unknown": "unknown",
    "suppressed": "suppressed",
    "expired": "expired",
    "cancelled": "cancelled",
}


def totals(entries: Iterable[Entry]) -> Totals:
    """Add ``entries`` up."""
    sums = dict.fromkeys(Totals.__struct_fields__, 0)
    for entry in entries:
        sums[_COLUMNS[entry.state]] += entry.count
        sums["owed"] += entry.count
    return Totals(**sums)
