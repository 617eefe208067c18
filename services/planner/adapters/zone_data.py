"""Table ``zone_data``: by which release of the zone data the plan is made."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from libs.localtime import TZDATA_VERSION
from libs.postgres.types import Connection
from services.planner.adapters.plan import affected
from services.planner.adapters.sql import SQL
from services.planner.domain.zone_moves import Moved, PlannedInstant


class Adopted(msgspec.Struct, frozen=True):
    """A release that was adopted; ``replanned_at`` is None while it still moves rows."""

    turn: int
    release: str
    adopted_at: datetime
    replanned_at: datetime | None
    moved: int


class OtherZoneDataError(Exception):
    """The plan is made by another release of the zone data than this process has."""

    def __init__(self, planned_by: str) -> None:
        super().__init__(
            f"the plan is made by zone data {planned_by}, this process has {TZDATA_VERSION}:"
            " stop the other planners, then run python -m services.planner tzdata"
        )
        self.planned_by = planned_by


async def lock_zone_data(connection: Connection) -> None:
    """Hold off whoever computes or judges instants while a release is adopted."""
    await connection.execute(SQL.lock_zone_data)


async def hold_zone_data(connection: Connection) -> Adopted | None:
    """Keep the release that counts until the transaction ends; None before a first start.

    Every transaction that computes instants begins like this, so that none can commit an instant
    by a release that does not count any more.

    Raises:
        OtherZoneDataError: it is not the release of this process.
    """
    await connection.execute(SQL.lock_zone_data_shared)
    adopted = await find_zone_data(connection)
    if adopted is not None and adopted.release != TZDATA_VERSION:
        raise OtherZoneDataError(adopted.release)
    return adopted


async def find_zone_data(connection: Connection) -> Adopted | None:
    """Return the release that counts, None before a first start."""
    row = await connection.fetchrow(SQL.find_zone_data)
    return None if row is None else Adopted(**row)


def is_being_replanned(adopted: Adopted | None) -> bool:
    """Tell whether the release that counts still moves rows."""
    return adopted is not None and adopted.replanned_at is None


async def adopt_zone_data(
    connection: Connection, *, now: datetime, replanned_at: datetime | None
) -> None:
    """Have the release of this process count. Needs ``lock_zone_data``."""
    await connection.execute(SQL.adopt_zone_data, TZDATA_VERSION, now, replanned_at)


async def finish_zone_data(connection: Connection, turn: int, *, now: datetime) -> None:
    """Note that the plan is wholly made by the release of ``turn``."""
    await connection.execute(SQL.finish_zone_data, turn, now)


async def list_zones_in_use(connection: Connection) -> list[str]:
    """Return the zones of everyone who is there or has something pending."""
    return [row["zone"] for row in await connection.fetch(SQL.list_zones_in_use)]


async def list_planned_instants(connection: Connection, local_day: date) -> list[PlannedInstant]:
    """Return at which instants what is pending of a day is planned."""
    rows = await connection.fetch(SQL.list_planned_instants, local_day)
    return [PlannedInstant(**row) for row in rows]


async def move_instants(
    connection: Connection, local_day: date, moves: Sequence[Moved], *, limit: int
) -> int:
    """Move up to ``limit`` pending rows of a day; return how many. Needs ``hold_zone_data``."""
    tag = await connection.execute(
        SQL.move_instants,
        local_day,
        [move.kind for move in moves],
        [move.zone for move in moves],
        [move.due_at for move in moves],
        [move.new_due_at for move in moves],
        [move.new_expires_at for move in moves],
        limit,
        TZDATA_VERSION,
    )
    return affected(tag)


async def count_moved(connection: Connection, turn: int, rows: int) -> None:
    """Add to the rows that the release of ``turn`` has moved."""
    await connection.execute(SQL.count_moved, turn, rows)


async def replan_slices(connection: Connection) -> None:
    """Have the slices of the open days planned once more."""
    await connection.execute(SQL.replan_slices)
