"""Opens the days ahead, so that projections keep them current, and cuts them into slices."""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from libs.postgres.partitions import ensure_day_partitions
from libs.postgres.types import Pool
from services.planner.adapters import days
from services.planner.domain.falling import fallings
from services.planner.domain.horizon import days_to_open, first_instant, urgent_from

logger = logging.getLogger(__name__)


class Horizon(msgspec.Struct, frozen=True):
    """How far ahead everything owed is planned, and how many days are open."""

    ahead: timedelta
    open_days: int


async def open_days_ahead(pool: Pool, *, now: datetime, horizon_days: int) -> int:
    """Open every day up to the horizon that is not open yet; return how many.

    Once it has returned, no projection can miss these days: those under way have been waited for,
    later ones see them. Their plan partitions are made first, outside of the transaction.
    """
    async with pool.acquire() as connection:
        missing = _missing(await days.find_last_day(connection), now, horizon_days)
        if not missing:
            return 0
        await ensure_day_partitions(connection, "plan", first=missing[0], days=len(missing))
        async with connection.transaction():
            await days.lock_days(connection)
            last = await days.find_last_day(connection)
            opened = await days.open_days(connection, _missing(last, now, horizon_days), now=now)
    for day in opened:
        logger.info("day.opened", extra={"local_day": day})
    return len(opened)


async def measure_horizon(pool: Pool, kinds: Iterable[Kind], *, now: datetime) -> Horizon:
    """Return how far the plan reaches: until the first instant of the first unplanned day."""
    async with pool.acquire() as connection:
        unplanned, open_days = await days.find_unplanned_day(connection)
    if unplanned is None:
        return Horizon(timedelta(0), open_days)
    return Horizon(first_instant(unplanned, kinds) - now, open_days)


async def cut_next_day(
    pool: Pool, kinds: Iterable[Kind], *, now: datetime, slice_size: int
) -> bool:
    """Cut one open day into slices; False if all are cut.

    The slices are cut and read after the day was opened, so whoever they miss was projected since.
    """
    async with pool.acquire() as connection, connection.transaction():
        day = await days.take_uncut_day(connection, urgent_from=urgent_from(now))
        if day is None:
            return False
        buckets = sorted({falling.bucket for falling in fallings(kinds, [day])})
        await days.cut_day(connection, day, buckets, slice_size=slice_size, now=now)
    return True


def _missing(last: date | None, now: datetime, horizon_days: int) -> list[date]:
    return days_to_open(now.date(), last_opened=last, horizon_days=horizon_days)
