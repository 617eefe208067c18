"""A change as the world is told of it."""

from datetime import datetime
from typing import Any

import msgspec

from contracts import codec, envelope, user_events
from services.user.domain.emails import deliverable
from services.user.domain.person import Change, Person, Tombstone

SOURCE = "/jubilee/user"


def message_of(change: Change, *, recorded_at: datetime, traceparent: str | None) -> bytes:
    """Return ``change`` as one CloudEvent: an item of an outbox row.

    Its id is made of the person and the version, so every copy bears the same one.
    """
    state = change.after
    person_id = str(state.id)
    event = envelope.event(
        _data_of(change.type, state),
        event_id=f"{person_id}/{state.version}",
        type_name=change.type,
        source=SOURCE,
        subject=person_id,
        time=recorded_at,
        traceparent=traceparent,
    )
    return codec.encode_items([event])


def _data_of(type_name: str, state: Person | Tombstone) -> msgspec.Struct:
    struct: Any = codec.TYPES[type_name]
    if isinstance(state, Tombstone):
        return user_events.UserErased(
            id=state.id, version=state.version, schedule_version=state.schedule_version
        )
    profile = state.profile
    told: msgspec.Struct = struct(
        id=state.id,
        version=state.version,
        schedule_version=state.schedule_version,
        first_name=profile.first_name,
        last_name=profile.last_name,
        email=deliverable(profile.email),
        timezone=profile.timezone,
        locale=profile.locale,
        leap_day=profile.leap_day,
        active_since=state.active_since,
        birthday=profile.birthday,
        anniversary=profile.anniversary,
        opt_outs=profile.opt_outs,
        dates_since=state.dates_since,
        opted_in_since=state.opted_in_since,
        zones_left=state.zones_left,
        registered=state.registered,
        external_id=profile.external_id,
        location_city=profile.location_city,
        location_country=profile.location_country,
    )
    return told
