"""A database of the user service for every test."""

from collections.abc import AsyncIterator

import pytest

from libs.eventstore.sealing import KeyRing, new_key
from libs.postgres.pool import open_pool
from services.user.adapters.store import Store
from tests.support.databases import fresh_database

PACKAGES = ("libs.outbox.migrations", "services.user.migrations")


@pytest.fixture
async def database_url(pg_url: str) -> AsyncIterator[str]:
    """Yield the URL of a migrated, empty database."""
    async with fresh_database(pg_url, *PACKAGES) as url:
        yield url


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    """Yield the store of an empty database, its keys wrapped."""
    async with open_pool(database_url, name="test-user") as pool:
        yield Store(pool, KeyRing(new_key()))
