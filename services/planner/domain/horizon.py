"""Which days are open: early enough for the first 09:00 on earth, long enough for the last."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from contracts.kinds import Kind

DAYS_BACK = 2
"""A first start opens this many days before today: what may still be sent for them is owed."""

_EASTERNMOST = timedelta(hours=14)
_WESTERNMOST = timedelta(hours=12)
_WHOLE_DAY = timedelta(days=1)


def days_to_open(today: date, *, last_opened: date | None, horizon_days: int) -> list[date]:
    """Return the days to open so that the plan reaches ``horizon_days`` beyond ``today`` (UTC).

    Every day since the last one opened is among them, however long nobody planned.
    """
    first = today - timedelta(days=DAYS_BACK)
    if last_opened is not None:
        first = last_opened + _WHOLE_DAY
    count = (today + timedelta(days=horizon_days) - first).days + 1
    return [first + timedelta(days=offset) for offset in range(max(count, 0))]


def first_instant(local_day: date, kinds: Iterable[Kind]) -> datetime:
    """Return an instant before which nothing of ``local_day`` is due anywhere."""
    earliest = min(kind.wall_time for kind in kinds)
    return datetime.combine(local_day, earliest, UTC) - _EASTERNMOST


def last_due_day(now: datetime) -> date:
    """Return the last local day of which anything can be due by ``now``."""
    return (now + _EASTERNMOST).date()


def last_closable_day(now: datetime, kinds: Iterable[Kind]) -> date:
    """Return the last local day of which everything is certainly past its late limit."""
    longest = max(kind.late_limit for kind in kinds)
    # A day that a zone skips is greeted on the next: one day more.
    return (now - _WESTERNMOST - longest - 2 * _WHOLE_DAY).date()


def urgent_from(now: datetime) -> date:
    """Return the first day of which something may still be sent in time to be welcome.

    After a long outage these days are planned first, those that can only expire last.
    """
    return now.date() - timedelta(days=DAYS_BACK)
