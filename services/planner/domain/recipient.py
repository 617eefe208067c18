"""Whom the planner plans for: what decides when, and nothing that decides where to."""

from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from services.planner.domain.origin import Origin, origin_from
from services.planner.domain.recurrence import LeapDay


class Recipient(msgspec.Struct, frozen=True, kw_only=True):
    """One person as of ``version``.

    ``schedule_version`` is the last version that changed the zone, a date, ``leap_day`` or whether
    the person is there at all. ``zones_left`` tells when each zone of the past days was last left.
    ``dates`` maps date fields to ``YYYY-MM-DD`` or ``--MM-DD``. Of
    someone who is not active only ``person_id`` and the versions need mean anything; who is erased
    never comes back.
    """

    person_id: UUID
    version: int
    schedule_version: int
    is_active: bool
    zone: str
    leap_day: LeapDay
    active_since: datetime
    dates: Mapping[str, str] = {}
    dates_since: Mapping[str, datetime] = {}
    opt_outs: tuple[str, ...] = ()
    opted_in_since: Mapping[str, datetime] = {}
    zones_left: Mapping[str, datetime] = {}
    is_erased: bool = False

    def origin_of(self, kind: Kind) -> Origin | None:
        """Return the day ``kind`` counts from, None where the person has no such date."""
        text = self.dates.get(kind.date_field)
        return None if text is None else origin_from(text).later(kind.offset_days)

    def zones_since(self, kind: Kind) -> list[str]:
        """Return the zone and those left since ``kind`` could first be owed, in a fixed order."""
        if not self.zones_left:
            return [self.zone]
        since = self.since(kind)
        return [self.zone, *sorted(zone for zone, at in self.zones_left.items() if at > since)]

    def since(self, kind: Kind) -> datetime:
        """Return the instant before which nothing of ``kind`` is owed.

        Moving to another zone leaves it: what was owed in a zone lived in since stays owed.
        """
        return max(
            self.active_since,
            self.dates_since.get(kind.date_field, self.active_since),
            self.opted_in_since.get(kind.name, self.active_since),
        )
