"""A planner's world: a database, a clock that stands still, a publisher that remembers."""

from collections.abc import AsyncIterator

import pytest

from libs.clock import FrozenClock
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.planner.wiring import MIGRATIONS
from tests.integration.planner.world import World
from tests.support.databases import fresh_database
from tests.support.publishers import FakePublisher
from tests.support.recipients import utc

START = utc("2026-06-13 12:00")
TABLES = (
    "plan", "slices", "days", "celebrations", "recipients", "set_aside", "kinds", "outbox",
    "pauses", "cancellations", "hold_work", "blocks",
    "zone_data",
)  # fmt: skip
PROTECTED = "outbox, pauses, cancellations"
"""What the planner's role may not empty, but a test does."""


@pytest.fixture(scope="session")
async def planner_url(pg_url: str) -> AsyncIterator[str]:
    """Yield the URL of the planner's database, made once: it has some 400 partitions."""
    async with fresh_database(pg_url, *MIGRATIONS) as url:
        yield url


@pytest.fixture(scope="session")
async def planner_pool(planner_url: str) -> AsyncIterator[Pool]:
    """Yield a pool on it."""
    async with open_pool(planner_url, name="planner tests") as pool:
        await pool.execute(f"GRANT DELETE ON {PROTECTED} TO CURRENT_USER")
        yield pool


@pytest.fixture
async def world(planner_pool: Pool) -> World:
    """Return a planner at noon (UTC) on 13 June 2026 that knows nobody and has planned nothing."""
    for table in TABLES:
        await planner_pool.execute(f"DELETE FROM {table}")  # noqa: S608
    return World(planner_pool, FrozenClock(START), FakePublisher())
