"""Table ``set_aside``: messages nobody could deal with."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from contracts.codec import without_subjects
from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL


class SetAside(msgspec.Struct, frozen=True, kw_only=True):
    """A message as it came, from which queue, and why it could not be dealt with."""

    id: UUID
    queue: str
    type: str
    reason: str
    body: bytes
    items: int


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """What is told about a message; its body may hold personal data and stays where it is."""

    id: UUID
    queue: str
    type: str
    reason: str
    items: int
    recorded_at: datetime


class Redrivable(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed to send a message back to its queue."""

    id: UUID
    queue: str
    type: str
    body: bytes
    items: int


async def put_set_aside(connection: Connection, messages: Sequence[SetAside]) -> None:
    """Keep ``messages``."""
    if messages:
        rows = [msgspec.structs.astuple(message) for message in messages]
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(SQL.put_set_aside, *columns)


async def list_set_aside(connection: Connection, *, after: UUID | None, limit: int) -> list[Listed]:
    """Return messages not redriven yet, oldest first."""
    return [Listed(**row) for row in await connection.fetch(SQL.list_set_aside, after, limit)]


async def take_set_aside(connection: Connection, message_id: UUID) -> Redrivable | None:
    """Hold a message for redriving; None if it is not there any more."""
    row = await connection.fetchrow(SQL.take_set_aside, message_id)
    return None if row is None else Redrivable(**row)


async def mark_redriven(connection: Connection, message_id: UUID) -> None:
    """Note that a message was redriven."""
    await connection.execute(SQL.mark_redriven, message_id)


async def count_set_aside(connection: Connection) -> int:
    """Return how many messages wait for a person."""
    waiting: int = await connection.fetchval(SQL.count_set_aside)
    return waiting


async def drop_set_aside(connection: Connection, *, older_than: timedelta) -> None:
    """Forget messages redriven longer ago than that, in real time."""
    await connection.execute(SQL.drop_set_aside, older_than)


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
