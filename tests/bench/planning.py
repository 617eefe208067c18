"""Rows planned per second: one local day, cut into slices and planned by one planner."""

from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.kinds import KINDS
from libs.localtime import zone_names
from libs.postgres import partitions
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.planner.app.opening import cut_next_day, open_days_ahead
from services.planner.app.planning import plan_next_slice
from services.planner.wiring import MIGRATIONS
from tests.bench.processor import Meter
from tests.support.databases import fresh_database

OWED = 100_000
OTHERS = 900_000
NOW = datetime(2027, 3, 8, tzinfo=UTC)
SLICE_SIZE = 5_000

_FILL = """
INSERT INTO celebrations (bucket, person_id, kind, zone, leap_day, origin, since, person_version)
SELECT
    CASE WHEN number <= $1::int THEN 310 ELSE 401 + number % 28 END,
    gen_random_uuid(),
    'birthday',
    ($3::text[])[1 + number % array_length($3::text[], 1)],
    'feb28',
    '1990-03-10',
    '2020-01-01',
    1
FROM generate_series(1, $1::int + $2::int) AS number
"""


async def measure(pg_url: str) -> dict[str, Any]:
    """Plan a day that owes ``OWED`` of a million people and return rate and cost."""
    async with (
        fresh_database(pg_url, *MIGRATIONS) as url,
        open_pool(url, name="bench", size=2) as pool,
    ):
        await _fill(pool)
        await open_days_ahead(pool, now=NOW, horizon_days=4)
        meter = Meter()
        rows = await _plan_all(pool)
        usage = meter.read()
    if rows != OWED:
        raise RuntimeError(f"planned {rows} of {OWED}")
    return {
        "what": "planning, 100,000 of 1,000,000",
        "items": rows,
        "per_s": round(rows / usage.wall_s),
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / rows * 1e6, 1),
        "usage": usage,
    }


async def _fill(pool: Pool) -> None:
    async with pool.acquire() as connection:
        first = (NOW - timedelta(days=3)).date()
        await partitions.ensure_day_partitions(connection, "plan", first=first, days=12)
        await connection.execute(_FILL, OWED, OTHERS, list(zone_names()))
        await connection.execute("ANALYZE celebrations")


async def _plan_all(pool: Pool) -> int:
    kinds = KINDS.values()
    while await cut_next_day(pool, kinds, now=NOW, slice_size=SLICE_SIZE):
        pass
    rows = 0
    while (planned := await plan_next_slice(pool, kinds, now=NOW)) is not None:
        rows += planned
    return rows
