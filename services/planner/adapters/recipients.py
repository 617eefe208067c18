"""Table ``recipients``: whom to plan for, as of the highest version seen."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.postgres.types import Connection, Record
from services.planner.adapters.errors import refusals
from services.planner.adapters.sql import SQL
from services.planner.domain.recipient import Recipient

_encoder = msgspec.json.Encoder()
_dates = msgspec.json.Decoder(dict[str, str])
_instants = msgspec.json.Decoder(dict[str, datetime])


async def lock_recipients(connection: Connection, people: Sequence[UUID]) -> dict[UUID, Recipient]:
    """Return the known ones of ``people`` and hold them until the transaction ends."""
    return _by_id(await connection.fetch(SQL.lock_recipients, people))


async def list_recipients(connection: Connection, people: Sequence[UUID]) -> dict[UUID, Recipient]:
    """Return the known ones of ``people``."""
    return _by_id(await connection.fetch(SQL.list_recipients, people))


async def lock_next_recipients(
    connection: Connection, *, after: UUID | None, limit: int
) -> list[Recipient]:
    """Return the next people after ``after`` in order and hold them."""
    rows = await connection.fetch(SQL.lock_next_recipients, after, limit)
    return [_recipient(row) for row in rows]


async def insert_recipients(connection: Connection, recipients: Sequence[Recipient]) -> set[UUID]:
    """Insert people nobody knew; whoever is not returned was inserted by someone else meanwhile.

    Raises:
        UnstorableError: a value is out of bounds.
    """
    if not recipients:
        return set()
    with refusals():
        rows = await connection.fetch(SQL.insert_recipients, *_columns(recipients))
    return {row["person_id"] for row in rows}


async def update_recipients(connection: Connection, recipients: Sequence[Recipient]) -> None:
    """Replace people whose rows the caller holds.

    Raises:
        UnstorableError: a value is out of bounds.
    """
    if recipients:
        with refusals():
            await connection.execute(SQL.update_recipients, *_columns(recipients))


async def note_doubtful(connection: Connection) -> None:
    """Note the versions held here that the log, as far as it was read, does not explain."""
    await connection.execute(SQL.note_doubtful)


async def remove_recipients(connection: Connection, held: Mapping[UUID, int]) -> None:
    """Remove people while each is at the version ``held``."""
    await connection.execute(SQL.remove_recipients, list(held), list(held.values()))


def _columns(recipients: Sequence[Recipient]) -> list[list[Any]]:
    rows = [
        (
            one.person_id,
            one.version,
            one.schedule_version,
            one.is_active,
            one.zone,
            one.leap_day,
            one.active_since,
            _json(one.dates),
            _json(one.dates_since),
            " ".join(one.opt_outs),
            _json(one.opted_in_since),
            one.is_erased,
            _json(one.zones_left),
        )
        for one in sorted(recipients, key=lambda one: one.person_id)
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def _json(found: Mapping[str, Any]) -> str:
    return _encoder.encode(found).decode() if found else "{}"


def _by_id(rows: Sequence[Record]) -> dict[UUID, Recipient]:
    return {row["person_id"]: _recipient(row) for row in rows}


def _recipient(row: Record) -> Recipient:
    return Recipient(
        person_id=row["person_id"],
        version=row["version"],
        schedule_version=row["schedule_version"],
        is_active=row["is_active"],
        zone=row["zone"],
        leap_day=row["leap_day"],
        active_since=row["active_since"],
        dates=_dates.decode(row["dates"]),
        dates_since=_instants.decode(row["dates_since"]),
        opt_outs=tuple(row["opt_outs"]),
        opted_in_since=_instants.decode(row["opted_in_since"]),
        is_erased=row["is_erased"],
        zones_left=_instants.decode(row["zones_left"]),
    )
