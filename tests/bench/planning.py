"""A day planned by a real planner: rows per second, memory, and the bare statement beside it."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from libs.localtime import zone_names
from services.planner.adapters.days import lock_days
from tests.bench.memory import MemoryLog
from tests.bench.processor import Meter, Usage
from tests.support.town import Town, a_town, until

NOW = datetime(2027, 3, 8, tzinfo=UTC)
_PLANNED_WITHIN_S = 600.0
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
FROM generate_series(1, $2::int) AS number
"""
_BARE = """
INSERT INTO bare (
    local_day, person_id, kind, due_at, release_at, expires_at, person_version, zone, tzdata,
    period, years
)
SELECT
    '2027-03-10', person_id, kind, '2027-03-10', '2027-03-10', '2027-03-11', person_version, zone,
    '2026a', '2027-01-01', 37
FROM celebrations
WHERE bucket = 310
"""


async def measure(
    pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path, owed: int, people: int
) -> dict[str, Any]:
    """Let a planner plan a day that owes ``owed`` of ``people``; return rate, cost and memory."""
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await _fill(town, owed, people)
        memory = MemoryLog()
        usage = await _plan(town, memory, owed)
        bare_s = await _insert_bare(town)
    return {
        "what": f"planning, {owed:,} of {people:,}",
        "items": owed,
        "per_s": round(owed / usage.wall_s),
        "cpu_ms_per_1000": round(usage.total_s() / owed * 1e6, 1),
        "wall_s": round(usage.wall_s, 2),
        "bare_s": round(bare_s, 2),
        "times_bare": round(usage.wall_s / bare_s, 2),
        "rss_mib_at_most": memory.most(),
        "usage": usage,
    }


async def _fill(town: Town, owed: int, people: int) -> None:
    async with _planner_database(town) as connection:
        await connection.execute(_FILL, owed, people, list(zone_names()), timeout=None)
        await connection.execute("ANALYZE celebrations", timeout=None)


async def _plan(town: Town, memory: MemoryLog, owed: int) -> Usage:
    """Start a planner, hold it at the door until it has started up, and time it from there."""
    clock = f"{NOW:%Y-%m-%dT%H:%M:%SZ};rate=1;since={time.time():.3f}"
    async with _planner_database(town) as connection:
        async with connection.transaction():
            await lock_days(connection)
            await town.start(
                "planner", roles=("plan",), env={"JUBILEE_CLOCK": clock}, is_awaited=False
            )
            await until(lambda: _is_at_the_door(connection))
            meter = Meter()
        await until(lambda: _has_planned(town, memory), timeout_s=_PLANNED_WITHIN_S)
        usage = meter.read()
        rows = await connection.fetchval("SELECT count(*) FROM plan")
    if rows != owed:
        raise RuntimeError(f"planned {rows} of {owed}")
    return usage


async def _is_at_the_door(connection: asyncpg.Connection) -> bool | None:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return await connection.fetchval(waiting) > 0 or None


async def _has_planned(town: Town, memory: MemoryLog) -> bool | None:
    await asyncio.sleep(0.05)
    memory.look()
    row = await town.ask(
        "planner", "SELECT count(*) > 0 AND bool_and(planned_at IS NOT NULL) FROM days"
    )
    return row[0] or None


async def _insert_bare(town: Town) -> float:
    """Return the seconds of one INSERT … SELECT of the same rows: the least there is to do."""
    async with _planner_database(town) as connection:
        await connection.execute("CREATE TABLE bare (LIKE plan INCLUDING ALL)")
        started_s = time.perf_counter()
        await connection.execute(_BARE, timeout=None)
        return time.perf_counter() - started_s


@contextlib.asynccontextmanager
async def _planner_database(town: Town) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(town.env["PLANNER_DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()
