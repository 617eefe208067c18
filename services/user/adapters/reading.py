"""Reads people and their histories."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec

from libs.postgres.types import Connection, Record
from services.user.adapters.events import Metadata, decode_state, open_event
from services.user.adapters.sql import SQL
from services.user.adapters.store import Store, connection_of
from services.user.domain.person import Person, Tombstone

_metadata = msgspec.json.Decoder(Metadata)
_BEYOND_ALL_TEXT = chr(0x10FFFF)


class Found(msgspec.Struct, frozen=True):
    """A person and the key that seals their events."""

    person: Person
    key: bytes


class HistoryEntry(msgspec.Struct, frozen=True):
    """One event of a person, without its data."""

    version: int
    type: str
    recorded_at: datetime
    changed: tuple[str, ...]
    caller: str | None


class WholeEvent(msgspec.Struct, frozen=True):
    """One event of a person and the state after it."""

    entry: HistoryEntry
    state: Person | Tombstone


class Filter(msgspec.Struct, frozen=True, kw_only=True):
    """Which people to list; what is None does not filter. Texts are in their searched form."""

    email_key: str | None = None
    external_id: str | None = None
    name_prefix: str | None = None
    birthday_month_day: int | None = None
    timezone: str | None = None


class Bearers(msgspec.Struct, frozen=True):
    """The living people who bear an e-mail address and an external id."""

    by_email: Person | None
    by_external_id: Person | None

    @property
    def only(self) -> Person | None:
        """The one person who bears what is borne; None where nobody does, or two people."""
        if self.by_email and self.by_external_id and self.by_email.id != self.by_external_id.id:
            return None
        return self.by_external_id or self.by_email


async def find_person(store: Store, person_id: UUID) -> Found | Tombstone | None:
    """Return the person as they are now, erased ones as what remains of them."""
    async with connection_of(store) as connection:
        row = await connection.fetchrow(SQL.find_person, person_id)
    if row is None:
        return None
    if row["state"] is None:
        version = row["version"]
        return Tombstone(id=person_id, version=version, schedule_version=row["schedule_version"])
    key = store.keys.unwrap(row["wrapped_key"], owner=person_id.bytes)
    return Found(decode_state(row["state"]), key)


async def get_person_at(store: Store, person_id: UUID, *, version: int) -> Person | Tombstone:
    """Return the person as they were at ``version``, which exists.

    Raises:
        ShreddedError: the person has been erased since.
    """
    async with connection_of(store) as connection:
        row = await connection.fetchrow(SQL.find_event, person_id, version)
    if row is None:
        raise LookupError(f"{person_id} has no version {version}")
    return open_event(store, row, person_id=person_id, version=version)


async def find_person_as_of(
    store: Store, person_id: UUID, *, at: datetime
) -> Person | Tombstone | None:
    """Return the person as they were at an instant; whoever was erased since as what remains."""
    async with connection_of(store) as connection:
        row = await connection.fetchrow(SQL.find_event_as_of, person_id, at)
    if row is None:
        return None
    return open_event(store, row, person_id=person_id, version=row["version"])


async def list_people(
    store: Store, wanted: Filter, *, after: UUID | None, limit: int
) -> list[Person]:
    """Return up to ``limit`` living people after the id ``after``, in the order of their ids."""
    start = after or UUID(int=0)
    statement = _statement_for(wanted)
    filters = () if statement == SQL.list_people else _parameters(wanted)
    async with connection_of(store) as connection, _planned_for(connection, statement):
        rows = await connection.fetch(statement, start, limit, *filters)
    return [decode_state(row["state"]) for row in rows]


@contextlib.asynccontextmanager
async def _planned_for(connection: Connection, statement: str) -> AsyncIterator[None]:
    """Have the search by name planned for the name; the others have one good plan."""
    if statement != SQL.list_people_by_name:
        yield
        return
    async with connection.transaction():
        await connection.execute(SQL.plan_for_values)
        yield


async def list_history(
    store: Store,
    person_id: UUID,
    *,
    after_version: int,
    limit: int,
    until: datetime | None = None,
) -> list[HistoryEntry]:
    """Return up to ``limit`` events of a person after a version, oldest first.

    ``until`` leaves out what was recorded later.
    """
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.list_events, person_id, after_version, limit, until)
    return [_entry(row) for row in rows]


async def list_whole_events(
    store: Store, person_id: UUID, *, after_version: int, limit: int
) -> list[WholeEvent]:
    """Return up to ``limit`` events of a person after a version, oldest first, unsealed.

    Raises:
        ShreddedError: the person has been erased.
    """
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.list_events_whole, person_id, after_version, limit)
    return [
        WholeEvent(_entry(row), open_event(store, row, person_id=person_id, version=row["version"]))
        for row in rows
    ]


async def list_deleted(store: Store, *, before: datetime, limit: int) -> list[UUID]:
    """Return up to ``limit`` people deleted ``before`` an instant, longest ago first.

    To the second: somebody deleted within the last one may be among them.
    """
    text = msgspec.to_builtins(before.astimezone(UTC))
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.list_deleted, text, limit)
    return [row["person_id"] for row in rows]


async def match_people(
    store: Store, email_keys: Sequence[str], external_ids: Sequence[str | None]
) -> list[Bearers]:
    """Return who bears each of the addresses and external ids, in the order given."""
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.match_people, email_keys, external_ids)
    return [Bearers(_optional(row["by_email"]), _optional(row["by_external_id"])) for row in rows]


async def list_registrations(store: Store, people: Sequence[UUID]) -> dict[UUID, Person]:
    """Return each of ``people`` as they were registered; those erased since are left out."""
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.list_registrations, people)
    found = (open_event(store, row, person_id=row["stream_id"], version=1) for row in rows)
    return {person.id: person for person in found if isinstance(person, Person)}


def _statement_for(wanted: Filter) -> str:
    """Return the statement led by the most selective filter given."""
    by_selectivity = (
        (wanted.email_key, SQL.list_people_by_email),
        (wanted.external_id, SQL.list_people_by_external_id),
        (wanted.name_prefix, SQL.list_people_by_name),
        (wanted.birthday_month_day, SQL.list_people_by_birthday),
        (wanted.timezone, SQL.list_people_by_zone),
    )
    return next((sql for value, sql in by_selectivity if value is not None), SQL.list_people)


def _parameters(wanted: Filter) -> tuple[object, ...]:
    prefix = wanted.name_prefix
    return (
        wanted.email_key,
        wanted.external_id,
        prefix,
        None if prefix is None else prefix + _BEYOND_ALL_TEXT,
        wanted.birthday_month_day,
        wanted.timezone,
    )


def _entry(row: Record) -> HistoryEntry:
    metadata = _metadata.decode(row["metadata"])
    return HistoryEntry(
        row["version"], row["type"], row["recorded_at"], metadata.changed, metadata.caller
    )


def _optional(state: str | None) -> Person | None:
    return None if state is None else decode_state(state)
