"""What happens when every database connection of a process is busy."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from services.user.adapters import store as table
from services.user.adapters.store import Store
from tests.integration.user.conftest import Client


@asynccontextmanager
async def a_full_pool(store: Store) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for _ in range(store.pool.get_max_size()):
            await stack.enter_async_context(store.pool.acquire())
        yield


@pytest.mark.edge_case("EC-PF-011")
async def test_a_request_waits_for_a_connection_that_comes_free(
    store: Store, client: Client
) -> None:
    async with a_full_pool(store):
        waiting = asyncio.create_task(client.ask("GET", "/v1/users"))
        done, _ = await asyncio.wait([waiting], timeout=0.2)
        assert not done
    assert (await waiting).status == 200


@pytest.mark.edge_case("EC-PF-011")
async def test_a_request_that_would_wait_too_long_is_told_to_come_again(
    store: Store, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "ACQUIRE_TIMEOUT_S", 0.1)
    async with a_full_pool(store):
        refused = await client.ask("GET", "/v1/users")
    assert (refused.status, refused.code) == (503, "unavailable")
    assert refused.headers["Retry-After"]
    assert (await client.ask("GET", "/v1/users")).status == 200
