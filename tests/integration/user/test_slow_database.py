"""What clients are told while PostgreSQL is too busy to answer in time."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import msgspec
import pytest

from libs.clock import FrozenClock, monotonic_s
from libs.httpapi.keys import ApiKeys
from libs.postgres.pool import open_pool
from services.user.adapters.store import Store
from tests.integration.user.conftest import WRITER, WRITER_TOKEN, Client, serving_api
from tests.support.people import a_document

ANSWERED_WITHIN_S = 0.5


@pytest.fixture
async def impatient(
    store: Store, clock: FrozenClock, shared_database_url: str
) -> AsyncIterator[Client]:
    """Yield a client of an API whose statements may not last long."""
    async with (
        open_pool(
            shared_database_url, name="impatient", statement_timeout_s=ANSWERED_WITHIN_S
        ) as pool,
        serving_api(msgspec.structs.replace(store, pool=pool), clock, ApiKeys([WRITER])) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, url, WRITER_TOKEN)


@pytest.mark.edge_case("EC-PF-008")
async def test_requests_a_slow_database_does_not_answer_are_told_to_come_again(
    store: Store, impatient: Client
) -> None:
    document = a_document()
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE people IN ACCESS EXCLUSIVE MODE")
        started_s = monotonic_s()
        answers = await asyncio.gather(
            *(impatient.ask("POST", "/v1/users", document) for _ in range(4)),
            *(impatient.ask("GET", "/v1/users") for _ in range(4)),
        )
        assert monotonic_s() - started_s < 10 * ANSWERED_WITHIN_S
    assert {(answer.status, answer.code) for answer in answers} == {(503, "unavailable")}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers)
    assert (await impatient.ask("POST", "/v1/users", document)).status == 201
