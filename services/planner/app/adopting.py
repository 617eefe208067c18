"""Adopts a release of the zone data: plans anew what it moves, and nothing else."""

import logging
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from libs.localtime import PINNED, TZDATA_VERSION, ZoneData
from libs.postgres.types import Pool
from services.planner.adapters import zone_data
from services.planner.adapters.days import list_open_days
from services.planner.adapters.zone_data import Adopted
from services.planner.domain.zone_moves import Comparison, Moved, compare, moved_instants

logger = logging.getLogger(__name__)

ROWS_MOVED_AT_ONCE = 5000


class UnknownZonesError(Exception):
    """People live in zones that this release does not know: nobody could tell when they are due."""

    def __init__(self, zones: list[str]) -> None:
        super().__init__(
            f"zone data {TZDATA_VERSION} lack zones that people live in: {', '.join(zones)}"
        )
        self.zones = zones


class Adoption(msgspec.Struct, frozen=True):
    """What adopting ``release`` moves, or has moved; ``former`` counted before, None: nothing."""

    former: str | None
    release: str
    moves: list[Moved]

    @property
    def rows(self) -> int:
        """How many rows of the plan go to another instant."""
        return sum(move.rows for move in self.moves)


async def begin_with_zone_data(pool: Pool, *, now: datetime) -> Adopted | None:
    """Adopt the release of this process where none counts yet; return the one that counts.

    Without anything pending there is nothing that an unnoted release could have planned.
    """
    async with pool.acquire() as connection, connection.transaction():
        adopted = await zone_data.find_zone_data(connection)
        if adopted is not None:
            return adopted
        await zone_data.lock_zone_data(connection)
        if await zone_data.find_zone_data(connection) is None:
            await zone_data.adopt_zone_data(connection, now=now, replanned_at=now)
        return await zone_data.find_zone_data(connection)


async def find_release(pool: Pool) -> Adopted | None:
    """Return the release that counts, None before a first start."""
    async with pool.acquire() as connection:
        return await zone_data.find_zone_data(connection)


async def preview_adoption(pool: Pool, kinds: Mapping[str, Kind]) -> Adoption:
    """Return what adopting the release of this process would move; change nothing.

    Raises:
        UnknownZonesError: people live in zones it does not know.
    """
    async with pool.acquire() as connection:
        former = await zone_data.find_zone_data(connection)
        unknown = set(await zone_data.list_zones_in_use(connection)) - set(PINNED.names)
        if unknown:
            raise UnknownZonesError(sorted(unknown))
        moves: list[Moved] = []
        for day in await list_open_days(connection):
            planned = await zone_data.list_planned_instants(connection, day)
            moves += moved_instants(day, planned, kinds)
    return Adoption(None if former is None else former.release, TZDATA_VERSION, moves)


async def adopt_release(pool: Pool, kinds: Mapping[str, Kind], *, now: datetime) -> Adoption:
    """Have the release of this process count and plan anew what it moves; return that.

    From the first commit on planners with another release stop, and nothing is released until
    everything is moved. Safe to repeat: a planner that dies leaves the rest to whoever is next.

    Raises:
        UnknownZonesError: people live in zones it does not know; nothing was changed.
    """
    preview = await preview_adoption(pool, kinds)
    async with pool.acquire() as connection, connection.transaction():
        await zone_data.lock_zone_data(connection)
        former = await zone_data.find_zone_data(connection)
        if former is None or former.release != TZDATA_VERSION or former.replanned_at is not None:
            await zone_data.adopt_zone_data(connection, now=now, replanned_at=None)
    while await replan_next(pool, kinds, now=now):
        pass
    logger.info(
        "zone_data.adopted",
        extra={"release": TZDATA_VERSION, "former": preview.former, "items": preview.rows},
    )
    return preview


async def replan_next(pool: Pool, kinds: Mapping[str, Kind], *, now: datetime) -> bool:
    """Move the next rows that the adopted release moves; False if nothing is left to do.

    One bounded transaction. When everything is moved, the slices of the open days are planned once
    more, for whoever is owed something only now, and releases go on.
    """
    async with pool.acquire() as connection, connection.transaction():
        adopted = await zone_data.hold_zone_data(connection)
        if adopted is None or adopted.replanned_at is not None:
            return False
        for day in await list_open_days(connection):
            planned = await zone_data.list_planned_instants(connection, day)
            moves = moved_instants(day, planned, kinds)
            if not moves:
                continue
            rows = await zone_data.move_instants(connection, day, moves, limit=ROWS_MOVED_AT_ONCE)
            await zone_data.count_moved(connection, adopted.turn, rows)
            logger.info("zone_data.moved", extra={"local_day": day, "items": rows})
            return True
        await zone_data.replan_slices(connection)
        await zone_data.finish_zone_data(connection, adopted.turn, now=now)
    return True


async def compare_releases(
    pool: Pool,
    former: ZoneData,
    kinds: Mapping[str, Kind],
    *,
    first: date | None,
    last: date | None,
    now: datetime,
) -> Comparison:
    """Return which zone-days move from ``former`` to the release of this process.

    Without bounds it is about the open days, and about today where there are none.
    """
    async with pool.acquire() as connection:
        open_days = await list_open_days(connection)
    today = now.date()
    return compare(
        former,
        PINNED,
        wall_times={kind.wall_time for kind in kinds.values()},
        first=first or min(open_days, default=today),
        last=last or max([*open_days, first or today], default=today + timedelta(days=1)),
    )
