"""Every day from the origin on."""

from datetime import date

from services.planner.domain.origin import Origin
from services.planner.domain.recurrence.strategy import Bucket, LeapDay

_NUMBER = 2200


class Daily:
    """One bucket, 2200."""

    def bucket_of(self, origin: Origin) -> int | None:  # noqa: ARG002
        return _NUMBER

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:  # noqa: ARG002
        return (Bucket(_NUMBER),)

    def period_of(self, local_day: date) -> date:
        return local_day

    def counted_year(self, local_day: date) -> int | None:  # noqa: ARG002
        return None

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:  # noqa: ARG002
        return max(since, origin.first_day or since)
