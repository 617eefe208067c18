"""Has the plan's rows follow what operators decided, slice by slice."""

import logging
from datetime import datetime

from libs.postgres.types import Pool
from services.planner.adapters import holds
from services.planner.adapters.plan import read_by_index

logger = logging.getLogger(__name__)


async def follow_next_hold(pool: Pool, *, now: datetime, limit: int) -> int | None:
    """Bring back, or call off, up to ``limit`` rows of one day; None if nothing is left to do.

    Returns how many rows changed. Rows and progress are committed together: a planner that dies
    leaves the rest to the next.
    """
    async with pool.acquire() as connection, connection.transaction():
        await holds.lock_holds_shared(connection)
        await read_by_index(connection)
        work = await holds.take_hold_work(connection)
        if work is None:
            return None
        followed = await holds.follow(connection, work, now=now, limit=limit)
        if followed is None or followed.looked_at < limit:
            await holds.finish_hold_work(connection, work)
        else:
            await holds.move_hold_work(connection, work, followed)
    changed = 0 if followed is None else followed.changed
    facts = {"hold": str(work.hold_id), "local_day": work.local_day, "items": changed}
    logger.info("hold.followed", extra=facts)
    return changed
