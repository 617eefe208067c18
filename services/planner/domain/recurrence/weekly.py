"""Every week on the weekday of the origin, whose year must therefore be known."""

from datetime import date, timedelta

from services.planner.domain.origin import Origin
from services.planner.domain.recurrence.strategy import Bucket, LeapDay

_FIRST_NUMBER = 2100
_WEEK = 7


class Weekly:
    """Buckets 2101 (Monday) to 2107 (Sunday)."""

    def bucket_of(self, origin: Origin) -> int | None:
        return None if origin.first_day is None else _FIRST_NUMBER + origin.first_day.isoweekday()

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:
        return (Bucket(_FIRST_NUMBER + local_day.isoweekday()),)

    def period_of(self, local_day: date) -> date:
        """Return the Monday of the week."""
        return local_day - timedelta(days=local_day.weekday())

    def counted_year(self, local_day: date) -> int | None:  # noqa: ARG002
        return None

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:  # noqa: ARG002
        if origin.first_day is None:
            return None
        since = max(since, origin.first_day)
        return since + timedelta(days=(origin.first_day - since).days % _WEEK)
