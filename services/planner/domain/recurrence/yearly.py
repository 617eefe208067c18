"""Every year on the same month and day; 29 February as the person wishes in common years."""

from datetime import MAXYEAR, date

from libs.localtime import is_leap
from services.planner.domain.origin import Origin
from services.planner.domain.recurrence.strategy import Bucket, LeapDay

_FEB_29 = (2, 29)


class Yearly:
    """Buckets 101 to 1231: month and day. Those of 29 February stay in 229 in every year."""

    def bucket_of(self, origin: Origin) -> int | None:
        return _number(origin.month, origin.day)

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:
        own = Bucket(_number(local_day.month, local_day.day))
        if is_leap(local_day.year):
            return (own,)
        match local_day.month, local_day.day:
            case 2, 28:
                return own, Bucket(_number(*_FEB_29), "feb28")
            case 3, 1:
                return own, Bucket(_number(*_FEB_29), "mar1")
            case _:
                return (own,)

    def period_of(self, local_day: date) -> date:
        return date(local_day.year, 1, 1)

    def counted_year(self, local_day: date) -> int | None:
        return local_day.year

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:
        since = max(since, origin.first_day or since)
        days = (_day_in(year, origin, leap_day) for year in (since.year, since.year + 1))
        return next((day for day in days if day is not None and day >= since), None)


def _number(month: int, day: int) -> int:
    return month * 100 + day


def _day_in(year: int, origin: Origin, leap_day: LeapDay) -> date | None:
    """Return the day of ``year``; always from the origin, never by adding years to the last one."""
    if year > MAXYEAR:
        return None
    if (origin.month, origin.day) == _FEB_29 and not is_leap(year):
        return date(year, 2, 28) if leap_day == "feb28" else date(year, 3, 1)
    return date(year, origin.month, origin.day)
