"""Releases: due rows claimed and published, and claims of a plan that is wide and old."""

import asyncio
import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts import topology
from contracts.kinds import KINDS
from libs.broker.connection import open_broker
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.planner.adapters.holds import lock_holds_shared
from services.planner.adapters.plan import read_by_index
from services.planner.adapters.releases import take_due
from services.planner.app.releasing import release_due
from services.planner.wiring import MIGRATIONS, PLANNING
from tests.bench.client import percentile_ms
from tests.bench.planned import State, fill_day, fill_recipients, open_day
from tests.bench.processor import Meter
from tests.support.databases import fresh_database
from tests.support.vhosts import fresh_vhost

DAY = date(2027, 3, 10)
NOW = datetime(2027, 3, 10, 9, 0, 1, tzinfo=UTC)
BATCH = 1_000
LANES = 2
CLAIM = 500
PARTITIONS = 40
_ASK_AFTER = timedelta(minutes=10)
_DUE_AT_MOST = 100_000


async def measure_release(
    pg_url: str, amqp_url: str, amqp_api: str, *, rows: int
) -> dict[str, Any]:
    """Release ``rows`` due rows as one planner does: batches of 1,000 in two lanes."""
    async with (
        fresh_database(pg_url, *MIGRATIONS) as url,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        open_pool(url, name="bench", size=LANES + 1, settings=PLANNING) as pool,
        open_broker(vhost_url, name="bench", unheard=topology.UNHEARD) as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        await _owe(pool, rows)

        async def lane() -> int:
            count = 0
            while taken := await release_due(
                pool,
                broker.publisher,
                DAY,
                kinds=KINDS,
                now=NOW,
                limit=BATCH,
                ask_after=_ASK_AFTER,
            ):
                count += sum(row.verdict == "released" for row in taken)
            return count

        meter = Meter()
        released = sum(await asyncio.gather(*(lane() for _ in range(LANES))))
        usage = meter.read()
    if released != rows:
        raise RuntimeError(f"released {released} of {rows}")
    return {
        "what": "claim and publish due rows",
        "items": rows,
        "per_s": round(rows / usage.wall_s),
        # The planner is this very process.
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / rows * 1e6, 1),
        "usage": usage,
    }


async def measure_wide(pg_url: str, *, rows: int) -> dict[str, Any]:
    """Claim a day 500 by 500, first alone in its table, then among ``rows`` in 40 partitions."""
    due = min(rows // 4, _DUE_AT_MOST)
    others = (rows - due) // (PARTITIONS - 1)
    async with (
        fresh_database(pg_url, *MIGRATIONS) as url,
        open_pool(url, name="bench", size=1, settings=PLANNING) as pool,
    ):
        await _owe(pool, due)
        alone = await _claim_all(pool)
        async with pool.acquire() as connection:
            await connection.execute("TRUNCATE plan")
            for offset in range(-PARTITIONS // 2, PARTITIONS // 2):
                day = DAY + timedelta(days=offset)
                state: State = "accepted" if offset < 0 else "waiting"
                await fill_day(connection, day, rows=others if offset else due, state=state)
            await connection.execute("ANALYZE plan", timeout=None)
        meter = Meter()
        among = await _claim_all(pool)
        usage = meter.read()
    return {
        "what": f"claim {CLAIM} of {rows:,} in {PARTITIONS} partitions",
        "items": due,
        "per_s": round(due / usage.wall_s),
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / due * 1e6, 1),
        "p50_ms": percentile_ms(among, 0.5),
        "p99_ms": percentile_ms(among, 0.99),
        "p50_ms_without_history": percentile_ms(alone, 0.5),
        "p99_ms_without_history": percentile_ms(alone, 0.99),
        "growth": round(percentile_ms(among, 0.5) / percentile_ms(alone, 0.5), 2),
        "usage": usage,
    }


async def _owe(pool: Pool, rows: int) -> None:
    async with pool.acquire() as connection:
        await open_day(connection, DAY)
        await fill_recipients(connection, rows)
        await fill_day(connection, DAY, rows=rows, state="waiting")
        await connection.execute("ANALYZE plan")


async def _claim_all(pool: Pool) -> list[float]:
    """Claim until nothing is due; return the seconds of each claim, its commit included."""
    durations_s = []
    is_due = True
    async with pool.acquire() as connection:
        while is_due:
            started_s = time.perf_counter()
            async with connection.transaction():
                await lock_holds_shared(connection)
                await read_by_index(connection)
                taken = await take_due(connection, DAY, now=NOW, limit=CLAIM, ask_after=_ASK_AFTER)
            durations_s.append(time.perf_counter() - started_s)
            is_due = len(taken) == CLAIM
    return durations_s
