"""What a hop does per item, counted: the same in every run, however busy the machine is."""

import cProfile
import pstats
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from libs.postgres.types import Pool
from tests.guard.cost import Counts
from tests.guard.hop import Hop, Work
from tests.support.statements import statements_of

_SHOWN: Final = 30
_FLUSH = "SELECT pg_stat_force_next_flush()"
_LOOK = """
SELECT
    (SELECT sum(heap_blks_read + heap_blks_hit + coalesce(idx_blks_read + idx_blks_hit, 0)
        + coalesce(toast_blks_read + toast_blks_hit, 0)
        + coalesce(tidx_blks_read + tidx_blks_hit, 0))
    FROM pg_statio_user_tables)::float AS pages,
    (SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_user_tables)::float
        AS rows_read,
    (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_stat_user_tables)::float
        AS rows_written
"""
_WEIGH = """
SELECT sum(pg_relation_size(oid))::float FROM pg_class
WHERE relkind IN ('r', 'i', 't') AND relnamespace <> 'pg_catalog'::regnamespace
    AND relname NOT LIKE 'guard_reference%'
"""


async def count(hop: Hop, works: AsyncIterator[Work]) -> Counts:
    """Do all ``works`` and return what an item of them took."""
    totals = dict.fromkeys(Counts.__struct_fields__, 0.0)
    batches = 0
    async for work in works:
        batches += 1
        async with _looking(hop.pool, totals), statements_of(hop.pool) as statements:
            profile = cProfile.Profile()
            profile.enable()
            await work()
            profile.disable()
        totals["statements"] += len(statements)
        totals["calls"] += sum(entry.callcount for entry in profile.getstats())
    return Counts(**{name: round(of / batches / hop.items, 4) for name, of in totals.items()})


async def weigh(pool: Pool) -> float:
    """Return how many bytes the tables and indexes have, but for those of the guard itself."""
    held: float = await pool.fetchval(_WEIGH)
    return held


async def show(hop: Hop, works: AsyncIterator[Work]) -> None:
    """Do all ``works`` and print where their calls go, and which statements are sent."""
    profile = cProfile.Profile()
    sent: Counter[str] = Counter()
    async for work in works:
        async with statements_of(hop.pool) as statements:
            profile.enable()
            await work()
            profile.disable()
        sent.update(" ".join(statement.split()) for statement in statements)
    pstats.Stats(profile).sort_stats("calls").print_stats(_SHOWN)
    for statement, times in sent.most_common(_SHOWN):
        print(f"{times:>8}  {statement[:120]}")


@asynccontextmanager
async def _looking(pool: Pool, totals: dict[str, float]) -> AsyncIterator[None]:
    """Add what the server did meanwhile; its counters are those of this database alone."""
    before = await _look(pool)
    yield
    after = await _look(pool)
    for name, value in after.items():
        totals[name] += value - before[name]


async def _look(pool: Pool) -> dict[str, float]:
    await pool.fetchval(_FLUSH)
    row = await pool.fetchrow(_LOOK)
    return dict(row) if row else {}
