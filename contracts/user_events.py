"""What the user service tells the world about people. Each event carries the whole person.

A consumer keeps the highest ``version`` it has seen per person and ignores the rest, so order and
duplicates do not matter.
"""

from typing import Annotated, Literal
from uuid import UUID

import msgspec

from contracts.envelope import Instant

USER_REGISTERED = "user.registered.v1"
USER_CHANGED = "user.changed.v1"
USER_DELETED = "user.deleted.v1"
USER_RESTORED = "user.restored.v1"
USER_ERASED = "user.erased.v1"

LeapDay = Literal["feb28", "mar1"]
Version = Annotated[int, msgspec.Meta(ge=1, description="Stream version; the highest wins.")]


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """One person as of ``version``.

    ``birthday`` and ``anniversary`` are ``YYYY-MM-DD``, or ``--MM-DD`` where the year is unknown.
    ``schedule_version`` is the last version that changed the time zone, a date, ``leap_day`` or
    whether the person is there at all: an instant computed from an older one may be wrong.
    ``active_since`` is when the person was registered or last restored, ``dates_since`` when each
    date was last set, ``opted_in_since`` when an opt-out of a kind was last withdrawn: nothing is
    owed for an instant before them. ``zones_left`` tells when the person last left each time zone
    of the past four days: what was owed there stays owed. ``registered`` is the local day of the
    registration, None of people from before it was recorded.
    """

    id: UUID
    version: Version
    schedule_version: Version
    first_name: str
    last_name: str
    email: str
    timezone: str
    locale: str
    leap_day: LeapDay
    active_since: Instant
    birthday: str | None = None
    anniversary: str | None = None
    opt_outs: tuple[str, ...] = ()
    dates_since: dict[str, Instant] = {}
    opted_in_since: dict[str, Instant] = {}
    zones_left: dict[str, Instant] = {}
    registered: str | None = None
    external_id: str | None = None
    location_city: str | None = None
    location_country: str | None = None


class UserRegistered(Person, frozen=True, kw_only=True):
    """A person was registered."""


class UserChanged(Person, frozen=True, kw_only=True):
    """At least one field of a person changed."""


class UserDeleted(Person, frozen=True, kw_only=True):
    """A person was deleted; it can be restored within the retention time."""


class UserRestored(Person, frozen=True, kw_only=True):
    """A deleted person was restored."""


class UserErased(msgspec.Struct, frozen=True, kw_only=True):
    """A person's data were destroyed for ever; only the id and the version remain."""

    id: UUID
    version: Version
    schedule_version: Version
