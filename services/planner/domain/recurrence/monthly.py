"""Every month on the same day; on the last day of a month that is too short."""

from calendar import monthrange
from datetime import date, timedelta

from services.planner.domain.origin import Origin
from services.planner.domain.recurrence.strategy import Bucket, LeapDay

_FIRST_NUMBER = 2000
_LONGEST_MONTH = 31


class Monthly:
    """Buckets 2001 to 2031: the day of the month."""

    def bucket_of(self, origin: Origin) -> int | None:
        return _FIRST_NUMBER + origin.day

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:
        is_last = local_day.day == _last_day(local_day)
        days = range(local_day.day, _LONGEST_MONTH + 1) if is_last else (local_day.day,)
        return tuple(Bucket(_FIRST_NUMBER + day) for day in days)

    def period_of(self, local_day: date) -> date:
        return local_day.replace(day=1)

    def counted_year(self, local_day: date) -> int | None:  # noqa: ARG002
        return None

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:  # noqa: ARG002
        since = max(since, origin.first_day or since)
        this_month = _day_in(since, origin)
        return this_month if this_month >= since else _day_in(_next_month(since), origin)


def _last_day(month: date) -> int:
    return monthrange(month.year, month.month)[1]


def _day_in(month: date, origin: Origin) -> date:
    return month.replace(day=min(origin.day, _last_day(month)))


def _next_month(day: date) -> date:
    return day.replace(day=_last_day(day)) + timedelta(days=1)
