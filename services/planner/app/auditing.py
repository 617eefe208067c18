"""Looks whether the ledger can be trusted: what is owed, what is planned, what was answered."""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

from contracts.kinds import Kind
from libs.localtime import zone_names
from libs.postgres.types import Pool
from services.planner.adapters import audits, days
from services.planner.adapters.audits import Stretch
from services.planner.adapters.plan import read_by_index
from services.planner.domain.falling import fallings, zone_instants
from services.planner.domain.horizon import last_closable_day

logger = logging.getLogger(__name__)

LONGER_THAN = timedelta(minutes=15)
"""Until then an imbalance is work under way."""
_DAYS_COUNTED_UPTO = 1000


class Standing(msgspec.Struct, frozen=True):
    """How many releases are unanswered and days not closed for too long; how many pauses hold."""

    unanswered: int
    unclosed: int
    open_pauses: int


async def list_stretches(pool: Pool, kinds: Iterable[Kind]) -> list[Stretch]:
    """Return what has to be looked through: of each day that must be complete each bucket."""
    async with pool.acquire() as connection:
        audited = await audits.list_audited_days(connection)
    falls = fallings(kinds, audited)
    pairs = sorted({(falling.local_day, falling.bucket) for falling in falls})
    return [Stretch(local_day, bucket) for local_day, bucket in pairs]


async def count_missing(
    pool: Pool, kinds: Iterable[Kind], stretch: Stretch, *, limit: int
) -> tuple[int, Stretch | None]:
    """Look through about ``limit`` celebrations; return how many have no row, and what is left.

    The rule that plans is asked anew, so a row that got lost is found whatever has lost it.
    """
    falls = [
        falling
        for falling in fallings(kinds, [stretch.local_day])
        if falling.bucket == stretch.bucket
    ]
    async with pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        upto = await audits.find_stretch_end(connection, stretch, size=limit)
        missing = await audits.count_missing(
            connection, falls, zone_instants(falls, zone_names()), stretch, upto=upto
        )
    if missing:
        facts = {"local_day": stretch.local_day, "bucket": stretch.bucket, "items": missing}
        logger.error("plan.rows_missing", extra=facts)
    rest = None if upto is None else msgspec.structs.replace(stretch, after=upto)
    return missing, rest


async def measure_standing(
    pool: Pool, kinds: Iterable[Kind], *, now: datetime, rate: float
) -> Standing:
    """Return what has stood open for more than 15 minutes of real time.

    A day stands open where something of it is pending although all its late limits have passed.
    ``rate`` is how many calendar seconds a real one lasts.
    """
    upto = last_closable_day(now - LONGER_THAN * rate, kinds)
    async with pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        first = await days.find_window_start(connection)
        unclosed = await days.list_closable_days(connection, upto=upto, limit=_DAYS_COUNTED_UPTO)
        unanswered = 0
        if first is not None:
            unanswered = await audits.count_unanswered(
                connection, since=first, longer_than=LONGER_THAN
            )
        open_pauses = await audits.count_open_pauses(connection)
    return Standing(unanswered, len(unclosed), open_pauses)
