"""Files a kind that is new for the people who were there before it."""

import logging
from collections.abc import Mapping
from datetime import datetime

from contracts.kinds import Kind
from libs.postgres.types import Pool
from services.planner.adapters.celebrations import file_celebrations
from services.planner.adapters.days import list_open_days, lock_days_shared
from services.planner.adapters.kinds import (
    finish_filing,
    move_filing,
    note_kinds,
    take_unfiled_kind,
)
from services.planner.adapters.recipients import lock_next_recipients
from services.planner.adapters.zone_data import hold_zone_data
from services.planner.app.judging import celebrations
from services.planner.app.planning import plan_celebrations

logger = logging.getLogger(__name__)


async def note_new_kinds(pool: Pool, kinds: Mapping[str, Kind]) -> None:
    """Note which of ``kinds`` nobody has filed here yet."""
    async with pool.acquire() as connection:
        await note_kinds(connection, sorted(kinds))


async def file_next_people(
    pool: Pool, kinds: Mapping[str, Kind], *, now: datetime, limit: int
) -> bool:
    """File a new kind for the next ``limit`` people and plan it for open days; False if none is.

    Done in batches, each one transaction: a planner that dies leaves the rest to the next. Whoever
    is projected meanwhile is filed by that.
    """
    async with pool.acquire() as connection, connection.transaction():
        await hold_zone_data(connection)
        await lock_days_shared(connection)
        filing = await take_unfiled_kind(connection, sorted(kinds))
        if filing is None:
            return False
        people = await lock_next_recipients(connection, after=filing.upto, limit=limit)
        kind = kinds[filing.kind]
        filed = [one for person in people for one in celebrations(person, [kind])]
        await file_celebrations(connection, filed)
        open_days = await list_open_days(connection)
        await plan_celebrations(connection, filed, [kind], open_days=open_days)
        if people:
            await move_filing(connection, kind.name, people[-1].person_id)
        else:
            await finish_filing(connection, kind.name, now=now)
            logger.info("kind.filed", extra={"kind": kind.name})
    return True
