"""What every planner process holds: its pool, its clock and its broker, opened in that order."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from contracts import topology
from libs.broker.connection import Broker, open_broker
from libs.clock import Clock, open_clock
from libs.localtime import TZDATA_VERSION
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.runtime.process import StartupError
from services.planner.adapters.zone_data import OtherZoneDataError
from services.planner.app.adopting import begin_with_zone_data
from services.planner.settings import PlannerSettings

NAME = "planner"
MIGRATIONS = (
    "libs.outbox.migrations",
    "libs.httpapi.rates.migrations",
    "libs.httpapi.answers.migrations",
    "services.planner.migrations",
)
STATEMENT_TIMEOUT_S = 30.0
"""The relay closes a gap in the outbox only after longer than any statement may last."""
PLANNING = {"plan_cache_mode": "force_custom_plan"}
"""Statements name the days and buckets they read; only a plan that knows them leaves the other
partitions out from the start."""


@dataclass(frozen=True)
class Resources:
    """What is open for as long as the process runs."""

    pool: Pool
    clock: Clock
    broker: Broker


@asynccontextmanager
async def open_resources(settings: PlannerSettings) -> AsyncIterator[Resources]:
    """Open what the process needs, once the database is fit for this release.

    Raises:
        StartupError: the database lacks migrations, or its plan is made by other zone data.
    """
    async with (
        open_pool(
            settings.database_url,
            name=NAME,
            size=settings.pool_size,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            settings=PLANNING,
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
    ):
        await refuse_old_tables(pool)
        await refuse_other_zone_data(pool, clock)
        async with open_broker(settings.broker_url, name=NAME, unheard=topology.UNHEARD) as broker:
            await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
            yield Resources(pool, clock, broker)


async def refuse_other_zone_data(pool: Pool, clock: Clock) -> None:
    """Take note of this process's zone data where there are none yet.

    Raises:
        StartupError: the plan is made by another release of them.
    """
    adopted = await begin_with_zone_data(pool, now=clock.now())
    if adopted is not None and adopted.release != TZDATA_VERSION:
        raise StartupError(str(OtherZoneDataError(adopted.release)))


async def refuse_old_tables(pool: Pool) -> None:
    """Go on only with a database that has every migration.

    Raises:
        StartupError: it lacks some.
    """
    async with pool.acquire() as connection:
        missing = await migrations.pending(connection, *MIGRATIONS)
    if missing:
        raise StartupError(
            f"the database lacks {len(missing)} migrations: run python -m services.planner migrate"
        )
