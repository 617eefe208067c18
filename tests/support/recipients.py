"""Builders of people as the planner knows them."""

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.ids import new_id
from services.planner.domain.recipient import Recipient

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def utc(text: str) -> datetime:
    """Return the instant ``2026-06-14 09:00`` names in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def day(text: str) -> date:
    """Return the date ``2026-06-14`` names."""
    return date.fromisoformat(text)


def a_recipient(**given: Any) -> Recipient:
    """Return someone in Berlin, registered long ago, with what is ``given``.

    ``birthday`` and ``anniversary`` go into ``dates``.
    """
    dates = {field: given.pop(field) for field in ("birthday", "anniversary") if field in given}
    known: dict[str, Any] = {
        "person_id": given.pop("person_id", None) or new_id(),
        "version": 1,
        "is_active": True,
        "zone": "Europe/Berlin",
        "leap_day": "feb28",
        "active_since": LONG_AGO,
        "dates": {field: text for field, text in dates.items() if text is not None},
    } | given
    known.setdefault("schedule_version", known["version"])
    return Recipient(**known)


def changed(person: Recipient, **given: Any) -> Recipient:
    """Return the next version of ``person``, with its schedule changed."""
    version = person.version + 1
    if "birthday" in given:
        birthday = given.pop("birthday")
        given["dates"] = {} if birthday is None else {**person.dates, "birthday": birthday}
    given = {"version": version, "schedule_version": version} | given
    return msgspec.structs.replace(person, **given)


def person_id(number: int) -> UUID:
    """Return the ``number``-th of some fixed ids, in order."""
    return UUID(int=0x019000000000 << 80 | 0x7 << 76 | 0x2 << 62 | number)
