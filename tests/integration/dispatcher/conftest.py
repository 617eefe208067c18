"""A dispatcher's database and everything delivering needs, at nine o'clock."""

from collections.abc import AsyncIterator
from datetime import date

import pytest

from contracts.kinds import KINDS
from contracts.user_events import UserRegistered
from libs.clock import FrozenClock
from libs.postgres.partitions import ensure_day_partitions, ensure_range_partition
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.resilience import Guard
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.wiring import MIGRATIONS, PLANNING
from tests.support.databases import fresh_database
from tests.support.deliveries import NINE, FakeProvider, a_person, told


@pytest.fixture
async def database_url(pg_url: str) -> AsyncIterator[str]:
    """Yield the URL of an empty dispatcher database with partitions around today."""
    async with fresh_database(pg_url, *MIGRATIONS) as url:
        yield url


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    """Yield a pool on it."""
    async with open_pool(database_url, name="test", size=6, settings=PLANNING) as pool:
        async with pool.acquire() as connection:
            await ensure_day_partitions(
                connection, "delivery_events", first=date(2026, 6, 12), days=5
            )
            await ensure_range_partition(
                connection, "greeted", "greeted_2026", lower="2026-01-01", upper="2027-01-01"
            )
        yield pool


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that shows nine o'clock."""
    return FrozenClock(NINE)


@pytest.fixture
def provider() -> FakeProvider:
    """Return a provider that accepts everything."""
    return FakeProvider()


@pytest.fixture
def courier(pool: Pool, clock: FrozenClock, provider: FakeProvider) -> Courier:
    """Return what delivering needs; a claim's lease is ten seconds."""
    return Courier(
        pool=pool,
        clock=clock,
        provider=provider,
        guard=Guard("smtp", threshold=3, reset_after_s=0.2),
        greetings=Greetings(KINDS, message_domain="jubilee.example"),
        lease_s=10.0,
    )


@pytest.fixture
async def ada(pool: Pool) -> UserRegistered:
    """Return someone whose contact is known."""
    person = a_person()
    await project_contacts(pool, [told(person)])
    return person
