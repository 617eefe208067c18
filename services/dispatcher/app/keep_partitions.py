"""Keeps the partitions of the dispatcher's tables well ahead of the calendar."""

from datetime import date, datetime, timedelta

from contracts.kinds import KINDS
from libs.postgres import partitions
from libs.postgres.types import Pool

DAYS_BACK = 7
DAYS_AHEAD = 60
DAYS_AHEAD_AT_LEAST = 7
"""Fewer than this and the process calls itself not ready."""

_YEAR_OF_ONE_OFFS = 1970
"""The period of kinds that happen once."""


async def keep_partitions(pool: Pool, *, now: datetime) -> None:
    """Create what is missing around ``now``; safe beside copies of itself."""
    today = now.date()
    async with pool.acquire() as connection:
        await partitions.ensure_day_partitions(
            connection,
            "delivery_events",
            first=today - timedelta(days=DAYS_BACK),
            days=DAYS_BACK + DAYS_AHEAD + 1,
        )
        for year in _years(today):
            await partitions.ensure_range_partition(
                connection,
                "greeted",
                f"greeted_{year}",
                lower=f"{year}-01-01",
                upper=f"{year + 1}-01-01",
            )


async def days_ahead(pool: Pool, *, now: datetime) -> int:
    """Return for how many days after today there are partitions."""
    async with pool.acquire() as connection:
        days = await partitions.day_partitions(connection, "delivery_events")
    return max(((day - now.date()).days for day in days), default=-1)


def _years(today: date) -> list[int]:
    years = {
        (today - timedelta(days=DAYS_BACK)).year,
        today.year,
        (today + timedelta(days=DAYS_AHEAD)).year,
    }
    if any(kind.cadence == "once" for kind in KINDS.values()):
        years.add(_YEAR_OF_ONE_OFFS)
    return sorted(years)
