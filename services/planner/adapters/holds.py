"""Tables ``pauses``, ``cancellations`` and ``hold_work``: what operators hold back."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.holds import Cancellation, Pause


class HoldWork(msgspec.Struct, frozen=True, kw_only=True):
    """A day of which the rows within a scope have to follow a hold, done up to ``after``.

    They are called off if it is a cancellation, else brought back because a pause has ended.
    """

    hold_id: UUID
    local_day: date
    after_person: UUID
    after_kind: str
    person_id: UUID | None
    kind: str | None
    is_cancellation: bool


class Followed(msgspec.Struct, frozen=True):
    """How many rows were looked at and changed, the last one's person and kind."""

    person_id: UUID
    kind: str
    looked_at: int
    changed: int


async def lock_holds(connection: Connection) -> None:
    """Hold off whoever judges by pauses and cancellations while one is set or ended."""
    await connection.execute(SQL.lock_holds)


async def lock_holds_shared(connection: Connection) -> None:
    """Keep pauses and cancellations as they are until this transaction ends."""
    await connection.execute(SQL.lock_holds_shared)


async def find_open_pause(
    connection: Connection, person_id: UUID | None, kind: str | None
) -> Pause | None:
    """Return the open pause of exactly this scope."""
    row = await connection.fetchrow(SQL.find_open_pause, person_id, kind)
    return None if row is None else Pause(**row)


async def insert_pause(connection: Connection, pause: Pause) -> None:
    """Keep a new pause. Needs ``lock_holds``."""
    await connection.execute(
        SQL.insert_pause,
        pause.pause_id,
        pause.person_id,
        pause.kind,
        pause.reason,
        pause.paused_at,
        pause.paused_by,
    )


async def find_pause(connection: Connection, pause_id: UUID) -> Pause | None:
    """Return a pause, open or ended."""
    row = await connection.fetchrow(SQL.find_pause, pause_id)
    return None if row is None else Pause(**row)


async def end_pause(
    connection: Connection, pause_id: UUID, *, now: datetime, by: str
) -> Pause | None:
    """End a pause and return it; None if it is not open. Needs ``lock_holds``."""
    row = await connection.fetchrow(SQL.end_pause, pause_id, now, by)
    return None if row is None else Pause(**row)


async def list_pauses(
    connection: Connection, *, only_open: bool, before: UUID | None, limit: int
) -> list[Pause]:
    """Return pauses, newest first."""
    rows = await connection.fetch(SQL.list_pauses, only_open, before, limit)
    return [Pause(**row) for row in rows]


async def find_cancellation(
    connection: Connection,
    person_id: UUID | None,
    kind: str | None,
    *,
    first_day: date,
    last_day: date,
) -> Cancellation | None:
    """Return the cancellation of exactly this scope."""
    row = await connection.fetchrow(SQL.find_cancellation, person_id, kind, first_day, last_day)
    return None if row is None else Cancellation(**row)


async def insert_cancellation(connection: Connection, cancellation: Cancellation) -> None:
    """Keep a new cancellation. Needs ``lock_holds``."""
    await connection.execute(
        SQL.insert_cancellation,
        cancellation.cancellation_id,
        cancellation.person_id,
        cancellation.kind,
        cancellation.first_day,
        cancellation.last_day,
        cancellation.reason,
        cancellation.cancelled_at,
        cancellation.cancelled_by,
    )


async def list_cancellations(
    connection: Connection, *, before: UUID | None, limit: int
) -> list[Cancellation]:
    """Return cancellations, newest first."""
    rows = await connection.fetch(SQL.list_cancellations, before, limit)
    return [Cancellation(**row) for row in rows]


async def list_person_pauses(connection: Connection, person_id: UUID) -> list[Pause]:
    """Return the open pauses that hold a person, those of everyone included."""
    rows = await connection.fetch(SQL.list_person_pauses, person_id)
    return [Pause(**row) for row in rows]


async def list_person_cancellations(
    connection: Connection, person_id: UUID, *, since: date
) -> list[Cancellation]:
    """Return the cancellations of days from ``since`` on that hold a person, general ones too."""
    rows = await connection.fetch(SQL.list_person_cancellations, person_id, since)
    return [Cancellation(**row) for row in rows]


async def put_hold_work(
    connection: Connection, hold_id: UUID, *, first: date | None = None, last: date | None = None
) -> None:
    """Note that the rows of the open days from ``first`` to ``last`` have to follow a hold."""
    await connection.execute(SQL.put_hold_work, hold_id, first, last)


async def take_hold_work(connection: Connection) -> HoldWork | None:
    """Take a day whose rows have to follow a hold."""
    row = await connection.fetchrow(SQL.take_hold_work)
    return None if row is None else HoldWork(**row)


async def follow(
    connection: Connection, work: HoldWork, *, now: datetime, limit: int
) -> Followed | None:
    """Have the next ``limit`` rows of a day follow their hold; None where no row is left."""
    statement = SQL.call_off if work.is_cancellation else SQL.bring_back
    row = await connection.fetchrow(
        statement,
        work.local_day,
        now,
        work.person_id,
        work.kind,
        work.after_person,
        work.after_kind,
        limit,
    )
    return None if row is None else Followed(**row)


async def move_hold_work(connection: Connection, work: HoldWork, followed: Followed) -> None:
    """Note how far a day has followed its hold."""
    await connection.execute(
        SQL.move_hold_work, work.hold_id, work.local_day, followed.person_id, followed.kind
    )


async def finish_hold_work(connection: Connection, work: HoldWork) -> None:
    """Note that a day has followed its hold."""
    await connection.execute(SQL.finish_hold_work, work.hold_id, work.local_day)
