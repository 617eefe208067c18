"""What falls on a local day, and the instants at which it is due around the world."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache

import msgspec

from contracts.kinds import Kind
from libs.localtime import instant_at
from services.planner.domain.origin import Origin
from services.planner.domain.recurrence import RECURRENCES, Bucket, LeapDay


class Falling(msgspec.Struct, frozen=True):
    """Celebrations of ``kind`` in ``bucket`` fall on ``local_day``, due at ``wall_time`` there.

    Only those with this ``leap_day`` and this ``only_origin``, where given. ``counted_year`` minus
    the origin's year is how many years it is.
    """

    local_day: date
    kind: str
    bucket: int
    leap_day: LeapDay | None
    only_origin: date | None
    period: date
    counted_year: int | None
    wall_time: time
    late_limit: timedelta


def fallings(kinds: Iterable[Kind], days: Sequence[date]) -> list[Falling]:
    """Return what falls on each of ``days``."""
    return [
        Falling(
            day,
            kind.name,
            bucket.number,
            bucket.leap_day,
            bucket.only_origin,
            RECURRENCES[kind.cadence].period_of(day),
            RECURRENCES[kind.cadence].counted_year(day),
            kind.wall_time,
            kind.late_limit,
        )
        for kind in kinds
        for day in days
        for bucket in RECURRENCES[kind.cadence].buckets_on(day)
    ]


def zone_instants(
    falls: Iterable[Falling], zones: Sequence[str]
) -> dict[tuple[date, time], dict[str, datetime]]:
    """Return, per day and wall time of ``falls``, the instant at which it is due in each zone."""
    moments = sorted({(falling.local_day, falling.wall_time) for falling in falls})
    return {
        (day, wall_time): {zone: due_instant(day, wall_time, zone) for zone in zones}
        for day, wall_time in moments
    }


@lru_cache(maxsize=16_384)
def due_instant(local_day: date, wall_time: time, zone: str) -> datetime:
    """Return ``instant_at``, remembered: a day has a few hundred zones but many people."""
    return instant_at(local_day, wall_time, zone)


def falls_on(local_day: date, kind: Kind, *, origin: Origin, leap_day: LeapDay) -> bool:
    """Tell whether ``origin`` recurs on ``local_day``, whether or not it has happened by then."""
    recurrence = RECURRENCES[kind.cadence]
    number = recurrence.bucket_of(origin)
    return any(
        bucket.number == number and _admits(bucket, origin, leap_day)
        for bucket in recurrence.buckets_on(local_day)
    )


def has_begun(origin: Origin, local_day: date) -> bool:
    """Tell whether ``origin`` is not after ``local_day``; one of unknown year always has begun."""
    return origin.first_day is None or origin.first_day <= local_day


def _admits(bucket: Bucket, origin: Origin, leap_day: LeapDay) -> bool:
    return bucket.leap_day in {None, leap_day} and bucket.only_origin in {None, origin.first_day}
