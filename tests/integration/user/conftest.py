"""A database of the user service for every test, and its API over it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from yarl import URL

from libs.clock import FrozenClock
from libs.eventstore.sealing import KeyRing, new_key
from libs.httpapi.keys import ApiKeys
from libs.httpapi.keys import new_key as new_api_key
from libs.httpapi.serve import HttpServer
from libs.postgres.pool import open_pool
from libs.postgres.replica import Replica
from libs.runtime.health import Health
from services.user.adapters.store import Store
from services.user.entrypoints.api import create_api
from services.user.entrypoints.person_routes import Terms
from services.user.wiring import MIGRATIONS
from tests.support.databases import execute, fresh_database
from tests.support.people import KINDS, NOW

PACKAGES = MIGRATIONS


@pytest.fixture
async def database_url(pg_url: str) -> AsyncIterator[str]:
    """Yield the URL of a migrated, empty database."""
    async with fresh_database(pg_url, *PACKAGES) as url:
        yield url


@pytest.fixture(scope="session")
async def shared_database_url(pg_url: str) -> AsyncIterator[str]:
    """Yield the URL of a database that tests empty before they use it: quicker than a new one."""
    async with fresh_database(pg_url, *PACKAGES) as url:
        await execute(url, "GRANT TRUNCATE ON events TO CURRENT_USER")
        yield url


@pytest.fixture
async def store(shared_database_url: str) -> AsyncIterator[Store]:
    """Yield the store of an empty database, its keys wrapped."""
    async with open_pool(shared_database_url, name="test-user") as pool:
        await pool.execute("TRUNCATE events, people, person_keys, idempotency_keys, outbox")
        yield Store(pool, KeyRing(new_key()))


@pytest.fixture
def clock() -> FrozenClock:
    """Return a clock that stands at ``NOW``."""
    return FrozenClock(NOW)


class Client:
    """Calls the API of one test with a key of its own."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str, token: str) -> None:
        self.session = session
        self.base_url = base_url
        self.token = token

    async def ask(
        self,
        method: str,
        path: str,
        document: Any = None,
        *,
        data: Any = None,
        token: str | None = None,
        **headers: str,
    ) -> "Answer":
        """Return the answer; header names are written with ``_`` for ``-``."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        sent.setdefault("Authorization", f"Bearer {token or self.token}")
        if document is not None:
            data = msgspec.json.encode(document)
            sent.setdefault("Content-Type", "application/json")
        url = URL(f"{self.base_url}{path}", encoded=True)
        async with self.session.request(method, url, data=data, headers=sent) as response:
            return Answer(response.status, response.headers, await response.read())


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body's values."""
        return msgspec.json.decode(self.body)

    @property
    def code(self) -> str:
        """The stable word of a problem."""
        assert self.headers["Content-Type"].startswith("application/problem+json"), self.body
        return str(self.json["code"])

    @property
    def faults(self) -> set[tuple[str | None, str]]:
        """Pointer (or parameter) and code of every refused field."""
        return {
            (one["pointer"] or one.get("parameter"), one["code"]) for one in self.json["errors"]
        }

    @property
    def lines(self) -> list[Any]:
        """The values on every line of the body."""
        return [msgspec.json.decode(line) for line in self.body.splitlines()]


READER, READER_TOKEN = new_api_key("reader", ["users:read"])
WRITER, WRITER_TOKEN = new_api_key("writer", ["users:read", "users:write"])
EXPORTER, EXPORTER_TOKEN = new_api_key("exporter", ["users:export"])
OTHER, OTHER_TOKEN = new_api_key("other", ["users:read", "users:write"])


@contextlib.asynccontextmanager
async def serving_api(
    store: Store,
    clock: FrozenClock,
    auth: ApiKeys,
    *,
    import_batch_lines: int = 1000,
    replica: Replica | None = None,
) -> AsyncIterator[str]:
    """Yield the base URL of an API over ``store``."""
    api = create_api(
        store=store,
        clock=clock,
        terms=Terms(KINDS, timedelta(days=30)),
        import_batch_lines=import_batch_lines,
        auth=auth,
        health=Health(),
        replica=replica,
    )
    server = HttpServer(api, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    yield f"http://127.0.0.1:{server.port}"
    await server.stop()
    await serving


@pytest.fixture
async def client(store: Store, clock: FrozenClock) -> AsyncIterator[Client]:
    """Yield a client of an API that serves an empty database at ``NOW``."""
    auth = ApiKeys([READER, WRITER, EXPORTER, OTHER])
    async with (
        serving_api(store, clock, auth, import_batch_lines=50) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, url, WRITER_TOKEN)
