"""What every cadence can tell about a date."""

from datetime import date
from typing import Literal, Protocol

import msgspec

from services.planner.domain.origin import Origin

LeapDay = Literal["feb28", "mar1"]
"""When someone born on 29 February celebrates in common years."""


class Bucket(msgspec.Struct, frozen=True):
    """Celebrations to read for a day.

    Of bucket ``number``, those with this ``leap_day`` and this ``only_origin``, where given.
    """

    number: int
    leap_day: LeapDay | None = None
    only_origin: date | None = None


class Recurrence(Protocol):
    """A cadence. Days before the origin itself are none of its business unless it says so."""

    def bucket_of(self, origin: Origin) -> int | None:
        """Return where celebrations of ``origin`` are kept; None: it cannot recur like this."""
        ...

    def buckets_on(self, local_day: date) -> tuple[Bucket, ...]:
        """Return what to read to find everyone whose date falls on ``local_day``."""
        ...

    def period_of(self, local_day: date) -> date:
        """Return the first day of the period, in which a person is greeted once per kind."""
        ...

    def counted_year(self, local_day: date) -> int | None:
        """Return the year from which the origin's year is subtracted; None: nothing is counted."""
        ...

    def next_day(self, origin: Origin, leap_day: LeapDay, since: date) -> date | None:
        """Return the first day from ``since`` on on which ``origin`` falls, None if there is none.

        Never a day before the origin itself.
        """
        ...
