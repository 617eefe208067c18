"""Messages nobody could deal with, waiting for a person."""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid5

import msgspec

from contracts.codec import without_subjects
from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL

_SET_ASIDE = UUID("a3f1b1de-8f6e-5a39-9d4c-0f6b51a0c9d2")


class SetAside(msgspec.Struct, frozen=True):
    """One waiting message, without its body, which may name people."""

    id: UUID
    queue: str
    type: str
    reason: str
    items: int
    recorded_at: datetime


class Waiting(msgspec.Struct, frozen=True):
    """One waiting message, to be sent back."""

    id: UUID
    queue: str
    type: str
    body: bytes
    items: int
    arrivals: int


async def put_set_aside(
    connection: Connection,
    *,
    queue: str,
    type_name: str,
    reason: str,
    body: bytes,
    items: int,
    now: datetime,
) -> UUID:
    """Keep a message for a person and return its id; a copy of a waiting one changes nothing."""
    aside_id = uuid5(_SET_ASIDE, f"{queue}/{hashlib.sha256(body).hexdigest()}")
    await connection.execute(
        SQL.put_set_aside, aside_id, queue, type_name, reason, body, items, now
    )
    return aside_id


async def list_set_aside(connection: Connection, *, after: UUID, limit: int) -> list[SetAside]:
    """Return up to ``limit`` waiting messages whose ids follow ``after``."""
    rows = await connection.fetch(SQL.list_set_aside, after, limit)
    return [SetAside(**row) for row in rows]


async def find_set_aside(connection: Connection, aside_id: UUID) -> Waiting | None:
    """Return the message if it still waits."""
    row = await connection.fetchrow(SQL.find_set_aside, aside_id)
    return Waiting(**row) if row else None


async def mark_redriven(connection: Connection, waiting: Waiting, *, now: datetime) -> None:
    """Note that the message was sent back to its queue; one that came again meanwhile waits on."""
    await connection.execute(SQL.mark_redriven, waiting.id, now, waiting.arrivals)


async def count_set_aside(connection: Connection) -> int:
    """Return how many messages wait."""
    waiting: int = await connection.fetchval(SQL.count_set_aside)
    return waiting


async def drop_set_aside(connection: Connection, *, before: datetime) -> None:
    """Forget the messages that were sent back before then."""
    await connection.execute(SQL.drop_set_aside, before)


async def forget_people(connection: Connection, people: Sequence[UUID]) -> None:
    """Take what is told of ``people`` out of the messages set aside; others in them stay."""
    if not people:
        return
    names = [str(person) for person in people]
    found = await connection.fetch(SQL.list_set_aside_naming, [name.encode() for name in names])
    for row in found:
        body, items = without_subjects(row["body"], names)
        if items:
            await connection.execute(SQL.cut_set_aside, row["id"], body, items)
        else:
            await connection.execute(SQL.delete_set_aside, row["id"])
