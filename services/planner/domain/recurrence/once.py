"""On the origin itself and never again; its year must therefore be known."""

from datetime import date

from services.planner.domain.origin import Origin
from services.planner.domain.recurrence.strategy import Bucket, LeapDay

_FIRST_NUMBER = 10_000
_ALL_TIME = date(1970, 1, 1)


class Once:
    """Buckets 10101 to 11231: month and day; all of time is one period."""

    def bucket_of(self, origin: Origin) -> int | None:
        return None if origin.first_day is None else _number(origin.month, origin.day)

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:
        return (Bucket(_number(local_day.month, local_day.day), only_origin=local_day),)

    def period_of(self, local_day: date) -> date:  # noqa: ARG002
        return _ALL_TIME

    def counted_year(self, local_day: date) -> int | None:  # noqa: ARG002
        return None

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:  # noqa: ARG002
        first_day = origin.first_day
        return first_day if first_day is not None and first_day >= since else None


def _number(month: int, day: int) -> int:
    return _FIRST_NUMBER + month * 100 + day
