"""Reads by a streaming replica: how far behind it may be, and what becomes of reads when it fails.

Both servers are this module's own: their replay is stopped, the replica is killed and promoted.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import aiohttp
import asyncpg
import pytest

from deploy.native.ports import free_port
from libs.clock import FrozenClock, monotonic_s
from libs.eventstore.sealing import KeyRing
from libs.httpapi.keys import ApiKeys, new_key
from libs.postgres.migrations import migrate
from libs.postgres.pool import open_pool
from libs.postgres.replica import NotAReplicaError, Replica, open_replica
from libs.runtime.stopping import Stopping
from libs.telemetry.metrics import REGISTRY
from services.user.adapters.store import Store, connection_of
from services.user.app.read import get_living
from services.user.app.reader import Reader
from services.user.domain.person import Person
from services.user.entrypoints.loops import replica_loop
from services.user.wiring import MIGRATIONS
from tests.integration.user.asking import registered
from tests.integration.user.conftest import Answer, Client, serving_api
from tests.integration.user.test_process import command, running
from tests.support.people import a_document
from tests.support.replicas import Pair, a_pair

MAX_LAG_S = 0.5
PAUSE_STATE = "SELECT pg_get_wal_replay_pause_state()"
FIRST_NAME = "SELECT state->'profile'->>'first_name' FROM people WHERE person_id = $1"
READER, READER_TOKEN = new_key("reader", ["users:read", "users:export", "events:read"])
WRITER, WRITER_TOKEN = new_key("writer", ["users:read", "users:write"])


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Yield a primary and its replica; one test promotes the replica, which ends it."""
    with a_pair(tmp_path_factory.mktemp("pair")) as servers:
        if servers is None:
            pytest.skip("PostgreSQL's programs are not installed here")
        yield servers


@pytest.fixture(scope="module")
async def migrated(pair: Pair) -> Pair:
    """Return the servers with the tables of the user service."""
    await migrate(pair.primary_url("user"), *MIGRATIONS)
    return pair


@pytest.fixture
async def store(migrated: Pair) -> AsyncIterator[Store]:
    """Yield the store of the primary."""
    async with open_pool(migrated.primary_url("user"), name="test-user") as pool:
        yield Store(pool, KeyRing(None))


@pytest.fixture
async def replica(migrated: Pair) -> AsyncIterator[Replica]:
    """Yield the replica, looked at all the time and in use."""
    stopping = Stopping()
    async with open_replica(
        migrated.replica_url("user"),
        primary_url=migrated.primary_url("user"),
        name="test-user",
        size=4,
        max_lag_s=MAX_LAG_S,
    ) as found:
        looking = asyncio.create_task(replica_loop(found).run(stopping))
        await until(found, is_used=True)
        yield found
        stopping.begin("the test is over")
        await looking


@pytest.fixture
async def client(store: Store, replica: Replica, clock: FrozenClock) -> AsyncIterator[Client]:
    """Yield a client that may only read, of an API that has the replica."""
    auth = ApiKeys([READER, WRITER])
    async with (
        serving_api(store, clock, auth, replica=replica) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Client(session, url, READER_TOKEN)


async def until(replica: Replica, *, is_used: bool) -> None:
    """Return once reads go to the replica, or do so no more."""
    async with asyncio.timeout(20):
        while replica.may_answer(math.inf) != is_used:  # noqa: ASYNC110 - time decides, too
            await asyncio.sleep(0.02)


@contextlib.asynccontextmanager
async def paused(pair: Pair) -> AsyncIterator[None]:
    """Have the replica receive what is written and show none of it."""
    connection = await asyncpg.connect(pair.replica_url())
    try:
        await connection.execute("SELECT pg_wal_replay_pause()")
        async with asyncio.timeout(10):
            while await connection.fetchval(PAUSE_STATE) != "paused":  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        yield
    finally:
        await connection.execute("SELECT pg_wal_replay_resume()")
        await connection.close()


@contextlib.contextmanager
def content(replica: Replica) -> Iterator[None]:
    """Have the replica used however far it lags, on however slow a machine."""
    replica._max_lag_s = 60.0
    yield
    replica._max_lag_s = MAX_LAG_S


def reads() -> dict[str, float]:
    """Return how many reads each source has answered so far."""
    return {
        source: REGISTRY.get_sample_value("jubilee_reads_total", {"source": source}) or 0
        for source in ("replica", "primary", "both")
    }


async def renamed(client: Client, person_id: UUID, name: str) -> str:
    """Change a person as somebody else and return the new version."""
    path, patch = f"/v1/users/{person_id}", {"first_name": name}
    answer = await client.ask("PATCH", path, patch, token=WRITER_TOKEN)
    assert answer.status == 200, answer.body
    return answer.headers["ETag"]


async def shown(replica: Replica, person_id: UUID, name: str) -> None:
    """Return once the replica shows the person under a name."""
    async with asyncio.timeout(10):
        while name != await replica.pool.fetchval(FIRST_NAME, person_id):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def reasons(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why replicas were left."""
    return [getattr(record, "reason", "") for record in caplog.records]


async def test_reads_of_who_may_only_read_come_from_the_replica(
    store: Store, client: Client, replica: Replica
) -> None:
    ada = await registered(store, first_name="Replicated")
    await shown(replica, ada.id, "Replicated")
    await until(replica, is_used=True)
    before = reads()
    with content(replica):
        for path in (
            f"/v1/users/{ada.id}",
            f"/v1/users/{ada.id}?as_of=2026-06-14T12:00:00Z",
            f"/v1/users/{ada.id}/history",
            f"/v1/users/{ada.id}/export",  # its head and its events
            "/v1/users?name=replic",
            "/v1/users/export",
        ):
            answer = await client.ask("GET", path)
            assert (answer.status, b"Replicated" in answer.body or "history" in path) == (200, True)
    after = reads()
    assert {source: after[source] - before[source] for source in after} == {
        "replica": 7,
        "primary": 0,
        "both": 0,
    }


async def test_an_idle_primary_is_no_lag(replica: Replica) -> None:
    await asyncio.sleep(2 * MAX_LAG_S)
    await until(replica, is_used=True)
    assert replica.lag_s <= MAX_LAG_S


async def test_lag_sends_reads_to_the_primary_and_its_end_brings_them_back(
    migrated: Pair, store: Store, client: Client, replica: Replica
) -> None:
    ada = await registered(store, first_name="Before")
    await shown(replica, ada.id, "Before")
    async with paused(migrated):
        with content(replica):
            await renamed(client, ada.id, "After")
            stale = await client.ask("GET", f"/v1/users/{ada.id}")
        await until(replica, is_used=False)
        fresh = await client.ask("GET", f"/v1/users/{ada.id}")
    await until(replica, is_used=True)
    before = reads()
    with content(replica):
        back = await client.ask("GET", f"/v1/users/{ada.id}")
    assert [answer.json["first_name"] for answer in (stale, fresh, back)] == [
        "Before",
        "After",
        "After",
    ]
    assert reads()["replica"] == before["replica"] + 1


async def test_no_answer_is_older_than_the_bound(
    migrated: Pair, store: Store, client: Client
) -> None:
    """Whatever the replay does: each read shows what was acknowledged the bound before it."""
    path = f"/v1/users/{(await registered(store)).id}"
    acknowledged: list[tuple[float, int]] = []
    until_s = monotonic_s() + 6 * MAX_LAG_S

    async def write() -> None:
        while monotonic_s() < until_s:
            patch = {"first_name": f"Ada {len(acknowledged)}"}
            answer = await client.ask("PATCH", path, patch, token=WRITER_TOKEN)
            acknowledged.append((monotonic_s(), answer.json["version"]))

    async def disturb() -> None:
        while monotonic_s() < until_s:
            async with paused(migrated):
                await asyncio.sleep(1.5 * MAX_LAG_S)
            await asyncio.sleep(MAX_LAG_S / 2)

    async def read() -> None:
        while monotonic_s() < until_s:
            begun_s = monotonic_s()
            version = (await client.ask("GET", path)).json["version"]
            due = [told for at_s, told in acknowledged if at_s < begun_s - MAX_LAG_S]
            assert version >= max(due, default=1)

    before = reads()
    await asyncio.gather(write(), disturb(), *(read() for _ in range(3)))
    after = reads()
    assert all(after[source] > before[source] for source in ("replica", "primary"))


async def test_nobody_reads_older_than_what_they_wrote_or_named(
    migrated: Pair, store: Store, client: Client, replica: Replica
) -> None:
    ada = await registered(store, first_name="Before")
    path = f"/v1/users/{ada.id}"
    await shown(replica, ada.id, "Before")
    async with paused(migrated):
        with content(replica):
            etag = await renamed(client, ada.id, "After")
            asked: dict[str, Answer] = {
                "who may write": await client.ask("GET", path, token=WRITER_TOKEN),
                "a search by them": await client.ask(
                    "GET", f"/v1/users?email={ada.profile.email}", token=WRITER_TOKEN
                ),
                "a version": await client.ask("GET", f"{path}?min_version=2"),
                "no cache": await client.ask("GET", path, Cache_Control="no-cache"),
                "a bound": await client.ask("GET", path, Cache_Control="max-stale=0"),
            }
            seen = await client.ask("GET", path, If_None_Match=etag)
            old = await client.ask(
                "GET", path, token=WRITER_TOKEN, Cache_Control="no-transform, max-stale"
            )
    assert {wish: b"After" in answer.body for wish, answer in asked.items()} == dict.fromkeys(
        asked, True
    )
    assert (seen.status, old.json["first_name"]) == (304, "Before")


async def test_a_refusal_is_the_primarys_word(
    migrated: Pair, client: Client, replica: Replica
) -> None:
    before = reads()
    async with paused(migrated):
        with content(replica):
            made = await client.ask("POST", "/v1/users", a_document(), token=WRITER_TOKEN)
            found = await client.ask("GET", made.headers["Location"])
    assert reads()["both"] == before["both"] + 1
    assert (made.status, found.status) == (201, 200)


async def test_the_feed_tells_at_once_what_was_written(migrated: Pair, client: Client) -> None:
    async with paused(migrated):
        made = await client.ask("POST", "/v1/users", a_document(), token=WRITER_TOKEN)
        told = await client.ask("GET", "/v1/events?limit=5000")
        assert made.json["id"] in told.body.decode()


async def test_the_replicas_pool_writes_nothing(replica: Replica) -> None:
    async with replica.pool.acquire() as connection:
        assert await connection.fetchval("SHOW default_transaction_read_only") == "on"


async def test_a_replica_killed_in_the_middle_of_reads_loses_none(
    migrated: Pair, store: Store, client: Client, replica: Replica
) -> None:
    ada = await registered(store, first_name="Ada")
    await shown(replica, ada.id, "Ada")
    under_way = asyncio.Event()

    async def slowly(asked: Store) -> Person:
        if asked is not store:
            async with connection_of(asked) as connection:
                under_way.set()
                await connection.execute("SELECT pg_sleep(20)")
        return await get_living(asked, ada.id)

    slow = asyncio.create_task(Reader(store, replica).ask(slowly, lag_s=math.inf))
    await under_way.wait()
    killing = asyncio.create_task(asyncio.to_thread(migrated.kill_replica))
    statuses = set()
    while not killing.done():
        statuses.add((await client.ask("GET", f"/v1/users/{ada.id}")).status)
    await killing
    assert (await slow, statuses) == (ada, {200})
    assert not replica.may_answer(math.inf)
    await asyncio.to_thread(migrated.start_replica)
    await until(replica, is_used=True)


async def test_a_replica_that_hangs_loses_no_read(
    migrated: Pair, store: Store, client: Client, replica: Replica
) -> None:
    """Reads that hang there are cut off as soon as nothing is known of the replica any more."""
    ada = await registered(store)
    await shown(replica, ada.id, "Ada")
    async with asyncio.timeout(10):
        backends = await replica.pool.fetch("SELECT pid FROM pg_stat_activity")
        with migrated.frozen([row["pid"] for row in backends]):
            answers = await asyncio.gather(
                *(client.ask("GET", f"/v1/users/{ada.id}") for _ in range(6))
            )
    assert {answer.status for answer in answers} == {200}
    await until(replica, is_used=True)


async def test_a_replica_that_is_slow_costs_no_request(store: Store, replica: Replica) -> None:
    ada = await registered(store)

    async def stuck(asked: Store) -> Person:
        if asked is not store:
            async with connection_of(asked) as connection, connection.transaction():
                await connection.execute("SET LOCAL statement_timeout = '100ms'")
                await connection.execute("SELECT pg_sleep(20)")
        return await get_living(asked, ada.id)

    assert await Reader(store, replica).ask(stuck, lag_s=math.inf) == ada
    assert not replica.may_answer(math.inf)


async def test_what_is_no_replica_of_this_primary_is_refused(migrated: Pair, pg_url: str) -> None:
    primary, replica = migrated.primary_url("user"), migrated.replica_url("user")
    wrong = {
        "swap them": (primary, replica),
        "no replica": (primary, primary),
        "another cluster": (migrated.replica_url(), pg_url),
        "another database": (migrated.replica_url("planner"), primary),
    }
    for words, (url, primary_url) in wrong.items():
        with pytest.raises(NotAReplicaError, match=words):
            async with open_replica(
                url, primary_url=primary_url, name="test-user", size=1, max_lag_s=1.0
            ):
                pass


async def test_a_process_is_told_that_its_urls_are_exchanged(migrated: Pair) -> None:
    env = {
        "USER_DATABASE_URL": migrated.primary_url("user"),
        "USER_REPLICA_DATABASE_URL": migrated.primary_url("user"),
        "USER_BROKER_URL": "amqp://guest:guest@127.0.0.1:1/",
        "USER_HTTP_PORT": "0",
    }
    status, _, errors = await command("api", env=env)
    assert status == 2
    assert "USER_REPLICA_DATABASE_URL leads to a server that is no replica" in errors


async def test_a_process_is_ready_without_its_replica(migrated: Pair) -> None:
    port = free_port()
    env = {
        "USER_DATABASE_URL": migrated.primary_url("user"),
        "USER_REPLICA_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/nothing",
        "USER_BROKER_URL": "amqp://guest:guest@127.0.0.1:1/",
        "USER_HTTP_PORT": str(port),
    }
    async with (
        running("api", env=env) as url,
        aiohttp.ClientSession() as session,
        session.get(f"{url}/health/ready") as answer,
    ):
        assert (answer.status, (await answer.json())["checks"]) == (200, {"database": "ok"})


async def test_a_promoted_replica_is_noticed_and_used_no_more(
    migrated: Pair,
    store: Store,
    client: Client,
    replica: Replica,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The last test of this module: it ends the replica."""
    ada = await registered(store)
    connection = await asyncpg.connect(migrated.replica_url())
    with caplog.at_level(logging.WARNING):
        await connection.execute("SELECT pg_promote()")
        await connection.close()
        await until(replica, is_used=False)
        async with asyncio.timeout(10):
            while "promoted" not in reasons(caplog):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    before = reads()
    answer = await client.ask("GET", f"/v1/users/{ada.id}")
    await replica.pool.expire_connections()
    with pytest.raises(asyncpg.TargetServerAttributeNotMatched):
        await replica.pool.fetchval("SELECT 1")
    assert (answer.status, reads()["primary"]) == (200, before["primary"] + 1)
