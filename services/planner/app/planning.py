"""Plans the open days: slice by slice for who is there, at once for who is new."""

import logging
from collections.abc import Iterable, Sequence
from datetime import date, datetime

from contracts.kinds import Kind
from libs.localtime import zone_names
from libs.postgres.types import Connection, Pool
from services.planner.adapters import days
from services.planner.adapters.holds import lock_holds_shared
from services.planner.adapters.metrics import SKIPPED
from services.planner.adapters.plan import plan_new, plan_owed
from services.planner.adapters.zone_data import hold_zone_data
from services.planner.domain.celebration import Celebration
from services.planner.domain.falling import fallings, zone_instants
from services.planner.domain.horizon import urgent_from

logger = logging.getLogger(__name__)


async def plan_next_slice(pool: Pool, kinds: Iterable[Kind], *, now: datetime) -> int | None:
    """Plan one slice of an open day; return how many rows it gave, None if no slice is left.

    Row and slice are committed together: a planner that dies leaves the slice to the next one.
    Whose zone this release does not know is skipped and logged: nobody could tell when they are
    due.

    Raises:
        OtherZoneDataError: the plan is made by another release of the zone data.
    """
    async with pool.acquire() as connection, connection.transaction():
        await hold_zone_data(connection)
        await lock_holds_shared(connection)
        taken = await days.take_slice(connection, urgent_from=urgent_from(now))
        if taken is None:
            return None
        falls = [
            falling
            for falling in fallings(kinds, [taken.local_day])
            if falling.bucket == taken.bucket
        ]
        instants = zone_instants(falls, zone_names())
        after, upto = taken.after, taken.upto
        rows = await plan_new(connection, falls, instants, after=after, upto=upto)
        if rows is None:
            # Someone was projected since the day was opened, or the slice is planned once more.
            rows = await plan_owed(connection, falls, instants, after=after, upto=upto)
        strangers = await days.list_strangers(connection, taken, zone_names())
        await days.finish_slice(connection, taken, now=now)
    for stranger in strangers:
        facts = {"person_id": str(stranger.person_id), "kind": stranger.kind}
        logger.warning("person.skipped", extra=facts | {"reason": "unknown_zone"})
    SKIPPED.add(len(strangers), reason="unknown_zone")
    return rows


async def note_planned_days(pool: Pool, *, now: datetime) -> None:
    """Note which days have no slice left."""
    async with pool.acquire() as connection:
        planned = await days.mark_planned(connection, now=now)
    for day in planned:
        logger.info("day.planned", extra={"local_day": day})


async def plan_celebrations(
    connection: Connection,
    filed: Sequence[Celebration],
    kinds: Iterable[Kind],
    *,
    open_days: Sequence[date],
) -> None:
    """Plan, in the caller's transaction, what ``filed`` celebrations make owed on ``open_days``."""
    falls = fallings(kinds, open_days)
    near = {(falling.bucket, falling.kind) for falling in falls}
    candidates = [one for one in filed if (one.bucket, one.kind) in near]
    if candidates:
        buckets = {one.bucket for one in candidates}
        falls = [falling for falling in falls if falling.bucket in buckets]
        await plan_owed(
            connection,
            falls,
            zone_instants(falls, sorted(_zones_of(candidates))),
            among=sorted({one.person_id for one in candidates}),
        )


def _zones_of(filed: Iterable[Celebration]) -> set[str]:
    return {zone for one in filed for zone in (one.zone, *one.zones_left)}
