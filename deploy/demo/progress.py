"""Follows the inbox's ledger file while mails arrive: how many per band of offsets, how late."""

from bisect import insort
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import msgspec

from deploy.demo.mail_store import Arrival
from deploy.demo.people import DEMO_DAY, NINE, Expected
from deploy.demo.verdict import Name, is_early, name_of

EASTMOST_BAND, WESTMOST_BAND = 14, -12


class Lateness(msgspec.Struct, frozen=True):
    """How long after its instant the mail arrived, in real milliseconds."""

    median_ms: float
    p99_ms: float
    highest_ms: float


class Progress:
    """What arrived so far for the demo's day, band by band of whole hours from UTC."""

    def __init__(self, ledger: Path, expected: Mapping[Name, Expected], *, rate: float) -> None:
        self.owed = Counter(band_of(e) for e in expected.values() if e.local_day == DEMO_DAY)
        self.arrived: Counter[int] = Counter()
        self.mails = self.duplicates = self.early = 0
        self._ledger = ledger
        self._read_bytes = 0
        self._expected = expected
        self._rate = rate
        self._seen: set[Name] = set()
        self._late_ms: list[float] = []
        self._decoder = msgspec.json.Decoder(Arrival)

    def follow(self) -> int:
        """Read what was appended since the last time; return how many mails that were."""
        if not self._ledger.exists():
            return 0
        with self._ledger.open("rb") as file:
            file.seek(self._read_bytes)
            appended = file.read()
        whole = appended[: appended.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        arrivals = self._decoder.decode_lines(whole)
        for arrival in arrivals:
            self._count(arrival)
        return len(arrivals)

    def lateness(self) -> Lateness | None:
        """Return how late the mails were; None before the first."""
        if not self._late_ms:
            return None
        last = len(self._late_ms) - 1
        return Lateness(*(self._late_ms[int(last * share)] for share in (0.5, 0.99, 1)))

    def _count(self, arrival: Arrival) -> None:
        self.mails += 1
        name = name_of(arrival.occurrence)
        expected = self._expected.get(name)
        if name in self._seen:
            self.duplicates += 1
        elif expected is not None and arrival.calendar_at is not None:
            late_s = (arrival.calendar_at - expected.due_at).total_seconds() / self._rate
            insort(self._late_ms, late_s * 1000)
            self.early += is_early(arrival, expected)
            self.arrived[band_of(expected)] += expected.local_day == DEMO_DAY
        self._seen.add(name)


def band_of(expected: Expected) -> int:
    """Return the whole hours from UTC, rounded west, at which this mail's 09:00 is."""
    return int(_offset(expected.due_at, expected) // timedelta(hours=1))


def nine_at(now: datetime) -> timedelta:
    """Return the offset from UTC at which clocks show 09:00 on the demo's day at ``now``.

    It is beyond +14 hours before the day's first 09:00 and below -12 after its last.
    """
    return datetime.combine(DEMO_DAY, NINE, UTC) - now


def _offset(due_at: datetime, expected: Expected) -> timedelta:
    return datetime.combine(expected.local_day, time(9), UTC) - due_at
