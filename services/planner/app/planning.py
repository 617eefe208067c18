"""Plans the open days slice by slice, for as long as there is a slice left."""

import logging
from collections.abc import Iterable
from datetime import datetime

from contracts.kinds import Kind
from libs.localtime import zone_names
from libs.postgres.types import Pool
from services.planner.adapters import days
from services.planner.adapters.plan import plan_owed
from services.planner.domain.falling import fallings, zone_instants
from services.planner.domain.horizon import urgent_from

logger = logging.getLogger(__name__)


async def plan_next_slice(pool: Pool, kinds: Iterable[Kind], *, now: datetime) -> int | None:
    """Plan one slice of an open day; return how many rows it gave, None if no slice is left.

    Row and slice are committed together: a planner that dies leaves the slice to the next one.
    """
    async with pool.acquire() as connection, connection.transaction():
        taken = await days.take_slice(connection, urgent_from=urgent_from(now))
        if taken is None:
            return None
        falls = [
            falling
            for falling in fallings(kinds, [taken.local_day])
            if falling.bucket == taken.bucket
        ]
        rows = await plan_owed(
            connection,
            falls,
            zone_instants(falls, zone_names()),
            after=taken.after,
            upto=taken.upto,
        )
        await days.finish_slice(connection, taken, now=now)
    return rows


async def note_planned_days(pool: Pool, *, now: datetime) -> None:
    """Note which days have no slice left."""
    async with pool.acquire() as connection:
        planned = await days.mark_planned(connection, now=now)
    for day in planned:
        logger.info("day.planned", extra={"local_day": day})
