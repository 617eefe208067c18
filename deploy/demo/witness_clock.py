"""The inbox's own idea of calendar time, so that it can bear witness against the services.

It is worked out from the system clock alone and shares no code with ``libs.clock``.
"""

import time
from datetime import UTC, datetime, timedelta

import msgspec


class WitnessClock(msgspec.Struct, frozen=True):
    """Calendar time as a straight line: ``start`` at ``since``, ``rate`` seconds per second."""

    start: datetime
    since: float
    rate: float

    def calendar_at(self, real_s: float) -> datetime:
        """Return the calendar time at ``real_s``, seconds since the Unix epoch."""
        return self.start + timedelta(seconds=(real_s - self.since) * self.rate)

    def real_at(self, calendar: datetime) -> float:
        """Return the real second at which ``calendar`` is reached; the rate must not be 0."""
        return self.since + (calendar - self.start).total_seconds() / self.rate


def read_clock(spec: str | None) -> WitnessClock:
    """Return the clock that ``JUBILEE_CLOCK`` describes; real time where it is absent."""
    if not spec:
        return WitnessClock(datetime.fromtimestamp(0, UTC), 0.0, 1.0)
    start, *options = spec.split(";")
    named = dict(option.strip().split("=", 1) for option in options)
    began = datetime.fromisoformat(start.strip())
    return WitnessClock(began, float(named.get("since", time.time())), float(named.get("rate", 1)))
