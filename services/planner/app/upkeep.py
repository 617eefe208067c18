"""Keeps partitions ahead, closes days that are done, forgets what is old."""

import logging
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from contracts.kinds import Kind
from libs import outbox
from libs.postgres.partitions import day_partitions, drop_day_partitions, ensure_day_partitions
from libs.postgres.types import Connection, Pool
from services.planner.adapters import announcements, days
from services.planner.adapters.accounts import read_ledger
from services.planner.adapters.set_aside import drop_set_aside
from services.planner.domain.horizon import days_to_open, last_closable_day

logger = logging.getLogger(__name__)

PARTITIONS_AHEAD_DAYS = 60
SET_ASIDE_KEPT = timedelta(days=30)
_DAYS_CLOSED_AT_ONCE = 20


async def keep_partitions(pool: Pool, *, now: datetime) -> int:
    """Make the plan's partitions from the first day to be opened to 60 days ahead; return how many.

    Each is made and attached in a transaction of its own; safe beside copies of itself.
    """
    async with pool.acquire() as connection:
        last_opened = await days.find_last_day(connection)
        ahead = days_to_open(
            now.date(), last_opened=last_opened, horizon_days=PARTITIONS_AHEAD_DAYS
        )
        if not ahead:
            return 0
        return await ensure_day_partitions(connection, "plan", first=ahead[0], days=len(ahead))


async def partitions_ahead_days(pool: Pool, *, now: datetime) -> int:
    """Return for how many days from today on the plan has partitions without a gap."""
    async with pool.acquire() as connection:
        there = set(await day_partitions(connection, "plan"))
    day = now.date()
    while day in there:
        day += timedelta(days=1)
    return (day - now.date()).days


async def close_done_days(pool: Pool, kinds: Iterable[Kind], *, now: datetime) -> list[date]:
    """Close the days of which nothing is pending and everything past its late limit.

    Each is closed and its account told to the world in one transaction.
    """
    upto = last_closable_day(now, kinds)
    async with pool.acquire() as connection:
        closable = await days.list_closable_days(connection, upto=upto, limit=_DAYS_CLOSED_AT_ONCE)
        return [day for day in closable if await _close(connection, day, now=now)]


async def _close(connection: Connection, local_day: date, *, now: datetime) -> bool:
    """Close a day unless something of it is pending; tell whether it was closed.

    The lock keeps projections and answers from changing its account at that moment.
    """
    async with connection.transaction():
        await days.lock_days(connection)
        closing = await days.close_day(connection, local_day, now=now)
        if closing is None:
            return False
        entries = await read_ledger(connection, local_day, local_day)
        news = announcements.day_closed(local_day, entries, closing=closing, closed_at=now)
        await outbox.put(connection, [news])
    logger.info("day.closed", extra={"local_day": local_day, "closing": closing})
    return True


async def forget_old(pool: Pool, *, now: datetime, retention_days: int) -> list[date]:
    """Drop the plan of closed days older than ``retention_days``, and what was redriven long ago.

    Return the days.
    """
    async with pool.acquire() as connection:
        oldest_open = await days.find_window_start(connection)
        before = now.date() - timedelta(days=retention_days)
        dropped = await drop_day_partitions(
            connection, "plan", before=min(before, oldest_open or before)
        )
        if dropped:
            await days.drop_days(connection, before=dropped[-1] + timedelta(days=1))
        await drop_set_aside(connection, older_than=SET_ASIDE_KEPT)
    for day in dropped:
        logger.info("day.forgotten", extra={"local_day": day})
    return dropped
