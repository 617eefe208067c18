"""Tables ``days`` and ``slices``: which days are open, and what of them is planned."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.postgres.partitions import analyze_day_partition
from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL

_STRANGERS_MAX = 100


class Slice(msgspec.Struct, frozen=True):
    """The people of ``bucket`` after ``after`` up to ``upto``; None is no bound."""

    local_day: date
    bucket: int
    slice: int
    after: UUID | None
    upto: UUID | None


class Stranger(msgspec.Struct, frozen=True):
    """Somebody whose celebration is in a zone that nobody knows here."""

    person_id: UUID
    kind: str
    zone: str


class Progress(msgspec.Struct, frozen=True):
    """When a day was opened, wholly planned and closed."""

    local_day: date
    opened_at: datetime
    planned_at: datetime | None
    closed_at: datetime | None


async def lock_days(connection: Connection) -> None:
    """Hold off projections while days are opened or closed in this transaction."""
    await connection.execute(SQL.lock_days)


async def lock_days_shared(connection: Connection) -> None:
    """Keep days from being opened or closed, and holds from changing, until this transaction ends.

    Before any row is held: whoever waits for it must hold nothing that others wait for.
    """
    await connection.execute(SQL.lock_days_shared)


async def list_open_days(connection: Connection) -> list[date]:
    """Return the days that projections keep current, in order."""
    return [row["local_day"] for row in await connection.fetch(SQL.list_open_days)]


async def list_days_after(connection: Connection, day: date) -> dict[date, bool]:
    """Return the open days and all days after ``day``, in order, each with whether it is closed."""
    rows = await connection.fetch(SQL.list_days_after, day)
    return {row["local_day"]: row["is_closed"] for row in rows}


async def find_last_day(connection: Connection) -> date | None:
    """Return the last day ever opened."""
    day: date | None = await connection.fetchval(SQL.find_last_day)
    return day


async def open_days(connection: Connection, days: Sequence[date], *, now: datetime) -> list[date]:
    """Open ``days``; return those that were not open yet. Needs ``lock_days``."""
    return [row["local_day"] for row in await connection.fetch(SQL.open_days, days, now)]


async def take_uncut_day(connection: Connection, *, urgent_from: date) -> date | None:
    """Take an open day without slices; days before ``urgent_from`` come last."""
    day: date | None = await connection.fetchval(SQL.take_uncut_day, urgent_from)
    return day


async def cut_day(
    connection: Connection,
    local_day: date,
    buckets: Sequence[int],
    *,
    slice_size: int,
    now: datetime,
) -> None:
    """Cut the day's ``buckets`` into slices of about ``slice_size`` celebrations."""
    await connection.executemany(
        SQL.cut_bucket, [(local_day, bucket, slice_size) for bucket in buckets]
    )
    await connection.execute(SQL.mark_cut, local_day, now)


async def take_slice(connection: Connection, *, urgent_from: date) -> Slice | None:
    """Take a slice nobody has planned yet; days before ``urgent_from`` come last."""
    row = await connection.fetchrow(SQL.take_slice, urgent_from)
    return None if row is None else Slice(**row)


async def list_strangers(
    connection: Connection, taken: Slice, zones: Sequence[str]
) -> list[Stranger]:
    """Return whose celebrations of the slice are in none of ``zones``, up to a hundred."""
    rows = await connection.fetch(
        SQL.list_strangers, taken.bucket, taken.after, taken.upto, zones, _STRANGERS_MAX
    )
    return [Stranger(**row) for row in rows]


async def finish_slice(connection: Connection, taken: Slice, *, now: datetime) -> None:
    """Note that the slice is planned."""
    await connection.execute(SQL.finish_slice, taken.local_day, taken.bucket, taken.slice, now)


async def mark_planned(connection: Connection, *, now: datetime) -> list[date]:
    """Note which days are wholly planned; return them.

    The server is made to look at what they hold: it does so of its own accord only now and then,
    and a plan that it saw empty it would walk as a whole for every row it is asked for.
    """
    planned = [row["local_day"] for row in await connection.fetch(SQL.mark_planned, now)]
    for day in planned:
        await analyze_day_partition(connection, "plan", day)
    return planned


async def list_closable_days(connection: Connection, *, upto: date, limit: int) -> list[date]:
    """Return planned, open days up to ``upto``, oldest first."""
    return [row["local_day"] for row in await connection.fetch(SQL.list_closable_days, upto, limit)]


async def close_day(connection: Connection, local_day: date, *, now: datetime) -> int | None:
    """Close the day and return how often that was done by now. Needs ``lock_days``.

    None: something of it is pending, or it is closed.
    """
    closing: int | None = await connection.fetchval(SQL.close_day, now, local_day)
    return closing


async def reopen_days(connection: Connection, days: Sequence[date]) -> None:
    """Open closed ones of ``days`` again. Needs ``lock_days_shared``."""
    await connection.execute(SQL.reopen_days, days)


async def reopen_pending(connection: Connection, days: Sequence[date]) -> None:
    """Open closed ones of ``days`` of which something is pending. Needs ``lock_days_shared``."""
    await connection.execute(SQL.reopen_pending, days)


async def find_window_start(connection: Connection) -> date | None:
    """Return the oldest open day: nothing older can be released."""
    day: date | None = await connection.fetchval(SQL.find_window_start)
    return day


async def find_unplanned_day(connection: Connection) -> tuple[date | None, int]:
    """Return the first day not wholly planned (None before a first start) and the open days."""
    row = await connection.fetchrow(SQL.find_unplanned_day)
    return (None, 0) if row is None else (row["local_day"], row["open_days"])


async def find_day(connection: Connection, local_day: date) -> Progress | None:
    """Return how far the day has come, None if it was never opened."""
    row = await connection.fetchrow(SQL.read_day, local_day)
    return None if row is None else Progress(**row)


async def drop_days(connection: Connection, *, before: date) -> None:
    """Forget the days before ``before``."""
    await connection.execute(SQL.drop_days, before)
