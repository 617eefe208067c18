"""A person's state, and what each command makes of it: one event and the state after it."""

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Literal
from uuid import UUID

import msgspec

from contracts.user_events import (
    USER_CHANGED,
    USER_DELETED,
    USER_ERASED,
    USER_REGISTERED,
    USER_RESTORED,
)
from libs.localtime import local_day_at
from services.user.domain.dates import month_day_of
from services.user.domain.profile import DATE_FIELDS, SCHEDULE_FIELDS, Profile, changed_fields

Status = Literal["active", "deleted"]

ZONES_REMEMBERED = timedelta(days=4)
"""Longer than the late limit and the farthest move together."""


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """A person as of ``version``, the number of events so far.

    ``schedule_version`` is the last version that changed a field instants are computed from, or
    whether the person is there at all. ``active_since`` is when the person was registered or last
    restored; ``dates_since`` when the day of each date was last set; ``opted_in_since`` when an
    opt-out was last withdrawn: nothing is owed for an instant before them. ``zones_left`` tells
    when each zone of the past days was last left; ``registered`` is the local day of the
    registration, None where it was never recorded.
    """

    id: UUID
    version: int
    schedule_version: int
    status: Status
    profile: Profile
    active_since: datetime
    created_at: datetime
    changed_at: datetime
    dates_since: dict[str, datetime] = {}
    opted_in_since: dict[str, datetime] = {}
    deleted_at: datetime | None = None
    zones_left: dict[str, datetime] = {}
    registered: str | None = None


class Tombstone(msgspec.Struct, frozen=True, kw_only=True):
    """What remains of an erased person."""

    id: UUID
    version: int
    schedule_version: int


class Change(msgspec.Struct, frozen=True):
    """An event of ``type``, the state ``after`` it, and the names of the fields that changed."""

    type: str
    after: Person | Tombstone
    changed: tuple[str, ...] = ()

    @property
    def expected_version(self) -> int:
        """The version the stream must have for this change to be appended."""
        return self.after.version - 1


class RetentionOver(msgspec.Struct, frozen=True):
    """The person was deleted too long ago to be restored."""

    deleted_at: datetime


def register_person(person_id: UUID, profile: Profile, now: datetime) -> Change:
    """Return the registration of a new person."""
    values = zip(Profile.__struct_fields__, msgspec.structs.astuple(profile), strict=True)
    given = [name for name, value in values if value]
    person = Person(
        id=person_id,
        version=1,
        schedule_version=1,
        status="active",
        profile=profile,
        active_since=now,
        created_at=now,
        changed_at=now,
        dates_since={name: now for name in DATE_FIELDS if name in given},
        registered=_local_day(now, profile.timezone),
    )
    return Change(USER_REGISTERED, person, tuple(given))


def change_person(person: Person, profile: Profile, now: datetime) -> Change | None:
    """Return the change that gives ``person`` the ``profile``; None where nothing differs."""
    changed = changed_fields(person.profile, profile)
    if not changed:
        return None
    version = person.version + 1
    is_rescheduled = not SCHEDULE_FIELDS.isdisjoint(changed)
    after = msgspec.structs.replace(
        person,
        version=version,
        schedule_version=version if is_rescheduled else person.schedule_version,
        profile=profile,
        changed_at=now,
        dates_since=_dates_since(person, profile, now),
        opted_in_since=_opted_in_since(person, profile, now),
        zones_left=_zones_left(person, profile, now),
    )
    return Change(USER_CHANGED, after, changed)


def delete_person(person: Person, now: datetime) -> Change:
    """Return the deletion of ``person``."""
    version = person.version + 1
    after = msgspec.structs.replace(
        person,
        version=version,
        schedule_version=version,
        status="deleted",
        changed_at=now,
        deleted_at=now,
    )
    return Change(USER_DELETED, after)


def restore_person(
    person: Person, now: datetime, *, retention: timedelta
) -> Change | RetentionOver | None:
    """Return the restoration of a deleted ``person``; None where they are active already.

    ``retention`` is how long after the deletion it is possible.
    """
    if person.deleted_at is None:
        return None
    if not is_restorable(person.deleted_at, now, retention=retention):
        return RetentionOver(person.deleted_at)
    version = person.version + 1
    after = msgspec.structs.replace(
        person,
        version=version,
        schedule_version=version,
        status="active",
        active_since=now,
        changed_at=now,
        deleted_at=None,
    )
    return Change(USER_RESTORED, after)


def is_restorable(deleted_at: datetime, now: datetime, *, retention: timedelta) -> bool:
    """Tell whether the deletion may still be undone; after that the person is erased."""
    return now - deleted_at <= retention


def erase_person(person: Person) -> Change:
    """Return the erasure of ``person``, of whom only the id and the version remain."""
    version = person.version + 1
    return Change(USER_ERASED, Tombstone(id=person.id, version=version, schedule_version=version))


@lru_cache(maxsize=1024)
def _local_day(now: datetime, zone: str) -> str:
    """Return the day that calendars in ``zone`` show; many register in one batch, few zones."""
    return local_day_at(now, zone).isoformat()


def _dates_since(person: Person, profile: Profile, now: datetime) -> dict[str, datetime]:
    """Return since when each date is set; a corrected year leaves the day, and so its instant."""
    return {
        name: person.dates_since.get(name, now)
        if _same_day(getattr(person.profile, name), getattr(profile, name))
        else now
        for name in DATE_FIELDS
        if getattr(profile, name)
    }


def _same_day(before: str | None, after: str | None) -> bool:
    return before is not None and after is not None and month_day_of(before) == month_day_of(after)


def _opted_in_since(person: Person, profile: Profile, now: datetime) -> dict[str, datetime]:
    withdrawn = set(person.profile.opt_outs) - set(profile.opt_outs)
    kept = {
        kind: since for kind, since in person.opted_in_since.items() if kind not in profile.opt_outs
    }
    return {**kept, **dict.fromkeys(sorted(withdrawn), now)}


def _zones_left(person: Person, profile: Profile, now: datetime) -> dict[str, datetime]:
    """Return when each zone of the past days was last left, except the one lived in."""
    recent = {zone: at for zone, at in person.zones_left.items() if now - at <= ZONES_REMEMBERED}
    left = {**recent, person.profile.timezone: now}
    return {zone: at for zone, at in left.items() if zone != profile.timezone}
