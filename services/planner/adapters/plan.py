"""Table ``plan``: filling it ahead, and moving rows whose people changed."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from typing import Any
from uuid import UUID

import asyncpg
import msgspec

from libs.localtime import TZDATA_VERSION
from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.falling import Falling
from services.planner.domain.planned import Change, Planned


async def plan_new(
    connection: Connection,
    falls: Sequence[Falling],
    instants: Mapping[tuple[date, time], Mapping[str, datetime]],
    *,
    after: UUID | None,
    upto: UUID | None,
) -> int | None:
    """Plan as ``plan_owed`` does where nothing of it is planned yet; return how many rows.

    None: something is, or is just being planned by somebody else, and nothing was done.
    """
    try:
        async with connection.transaction():
            tag = await connection.execute(
                SQL.plan_new, *_owed(falls, instants, after=after, upto=upto, among=None)
            )
    except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError):
        return None
    return affected(tag)


async def plan_owed(
    connection: Connection,
    falls: Sequence[Falling],
    instants: Mapping[tuple[date, time], Mapping[str, datetime]],
    *,
    after: UUID | None = None,
    upto: UUID | None = None,
    among: Sequence[UUID] | None = None,
) -> int:
    """Plan what of ``falls`` is owed to people after ``after`` up to ``upto``, or ``among`` these.

    ``instants`` must name every zone in question. Returns how many rows were made or renewed.
    """
    tag = await connection.execute(
        SQL.plan_owed, *_owed(falls, instants, after=after, upto=upto, among=among)
    )
    return affected(tag)


async def lock_unanswered(
    connection: Connection, people: Sequence[UUID], days: Sequence[date]
) -> list[Planned]:
    """Return the rows of ``people`` on ``days`` without an answer and hold them."""
    rows = await connection.fetch(SQL.lock_unanswered, people, days)
    return [Planned(**row) for row in rows]


async def doubt_unrequested(
    connection: Connection, people: Sequence[UUID], days: Sequence[date], *, now: datetime
) -> None:
    """Note of rows due by ``now`` that seem never requested that they may have been."""
    await connection.execute(SQL.doubt_unrequested, people, days, now)


async def change_plan(connection: Connection, changes: Sequence[Change], *, now: datetime) -> None:
    """Write ``changes``; the caller holds the rows."""
    if changes:
        rows = [msgspec.structs.astuple(change) for change in changes]
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(SQL.change_plan, *columns, now, TZDATA_VERSION)


async def read_by_index(connection: Connection) -> None:
    """Have this transaction read by index whatever statistics say: its batches are small."""
    await connection.execute(SQL.read_by_index)


def affected(tag: str) -> int:
    """Return the row count of a command's tag (``UPDATE 500``)."""
    return int(tag.rpartition(" ")[2])


def instant_look_up(instants: Mapping[tuple[date, time], Mapping[str, datetime]]) -> str:
    """Return the look-up that ``owed`` reads: Unix seconds by moment and zone."""
    seconds = {
        f"{day} {wall_time}": {zone: at.timestamp() for zone, at in by_zone.items()}
        for (day, wall_time), by_zone in instants.items()
    }
    return msgspec.json.encode(seconds).decode()


def _owed(
    falls: Sequence[Falling],
    instants: Mapping[tuple[date, time], Mapping[str, datetime]],
    *,
    after: UUID | None,
    upto: UUID | None,
    among: Sequence[UUID] | None,
) -> tuple[Any, ...]:
    """Return the parameters of ``plan_owed`` and ``plan_new``."""
    return (
        [msgspec.structs.astuple(falling) for falling in falls],
        instant_look_up(instants),
        sorted({falling.bucket for falling in falls}),
        after,
        upto,
        among,
        TZDATA_VERSION,
    )
