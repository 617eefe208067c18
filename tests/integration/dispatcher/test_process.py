"""The dispatcher as a whole: wired to a real broker and asked over HTTP."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import asyncpg
import msgspec
import pytest

from contracts import codec, dispatch, topology, user_events
from deploy.native.processes import free_port
from libs.broker import Publisher
from libs.broker.connection import open_broker
from libs.httpapi.keys import KeysFile, new_key
from libs.runtime.stopping import Stopping, set_current
from libs.settings import read_settings
from services.dispatcher import wiring
from services.dispatcher.domain.delivery import Accepted, Deferred, Unknown
from services.dispatcher.settings import DispatcherSettings
from tests.support.databases import fresh_database
from tests.support.deliveries import FakeProvider, a_person, a_request, told
from tests.support.lines import a_line_to
from tests.support.town import until
from tests.support.vhosts import fresh_vhost


class Running:
    """A running dispatcher and the ways to talk to it."""

    def __init__(
        self, publisher: Publisher, http: aiohttp.ClientSession, provider: FakeProvider
    ) -> None:
        self.publisher = publisher
        self.http = http
        self.provider = provider
        self.heard: list[Any] = []

    async def publish(self, exchange: str, type_name: str, body: bytes) -> None:
        """Publish one message."""
        await self.publisher.publish(exchange, type_name, body, items=1, message_id="test")

    async def tell(self, *people: Any) -> None:
        """Tell of registered people."""
        body = codec.encode([told(person) for person in people])
        await self.publish(topology.EVENTS, user_events.USER_REGISTERED, body)

    async def request(self, *requests: Any) -> None:
        """Send dispatch requests."""
        body = codec.encode([told(one, dispatch.DISPATCH_REQUESTED) for one in requests])
        await self.publish(topology.COMMANDS, dispatch.DISPATCH_REQUESTED, body)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and decoded body."""
        async with self.http.request(method, path, json=body) as answer:
            text = await answer.read()
            return answer.status, msgspec.json.decode(text) if text else None


@asynccontextmanager
async def running(
    database_url: str,
    vhost: str,
    folder: Path,
    roles: frozenset[str] = frozenset(wiring.ROLES),
    *,
    listening_at: str | None = None,
    **env: str,
) -> AsyncIterator[Running]:
    """Yield a dispatcher in this process, at five seconds past nine.

    Whoever talks to it does so over ``listening_at``, where its own way to the broker may be cut.
    """
    key, token = new_key("test")
    keys = folder / "keys.json"
    keys.write_bytes(msgspec.json.encode(KeysFile([key])))
    port = free_port()
    settings = read_settings(
        DispatcherSettings,
        "DISPATCHER",
        {
            "DISPATCHER_DATABASE_URL": database_url,
            "DISPATCHER_BROKER_URL": vhost,
            "DISPATCHER_HTTP_PORT": str(port),
            "DISPATCHER_API_KEYS_FILE": str(keys),
            "DISPATCHER_LEASE_S": "1",
            "DISPATCHER_PROVIDER_TIMEOUT_S": "0.1",
            "DISPATCHER_SETTLE_EVERY_S": "0.1",
            "JUBILEE_CLOCK": f"2026-06-14T09:00:05Z;rate=1;since={time.time():.3f}",
            **env,
        },
    )
    provider = FakeProvider(can_find=False, timeout_s=0.1)
    stopping = Stopping()

    async def run() -> None:
        set_current(stopping)
        await wiring.run(settings, roles, provider_factory=lambda _: provider)

    process = asyncio.create_task(run())
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http,
        open_broker(listening_at or vhost, name="test") as broker,
    ):
        await until(lambda: _is_ready(http, process))
        one = Running(broker.publisher, http, provider)
        await _listen(broker, one)
        try:
            yield one
        finally:
            stopping.begin("test")
            await process


async def _is_ready(http: aiohttp.ClientSession, process: asyncio.Task[None]) -> bool | None:
    if process.done():
        process.result()
    try:
        async with http.get("/health/ready") as answer:
            return answer.status == 200 or None
    except aiohttp.ClientConnectionError:
        return None


async def _listen(broker: Any, one: Running) -> None:
    """Hear every delivery event on a queue of our own, as any foreign consumer would."""
    queue = topology.work_queue(
        "foreign.v1", exchange=topology.EVENTS, routing_keys=("delivery.#",)
    )
    await broker.declare(topology.EXCHANGES, [queue])

    async def hear(delivery: Any) -> None:
        one.heard += codec.decode(delivery.type_name, delivery.body)

    await broker.consume("foreign.v1", hear)


@pytest.fixture(scope="module")
async def dispatcher(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Running]:
    """Yield a running dispatcher with all roles."""
    async with (
        fresh_database(pg_url, *wiring.MIGRATIONS) as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost,
        running(database_url, vhost, tmp_path_factory.mktemp("keys")) as one,
    ):
        yield one


async def test_request_becomes_mail_event_and_ledger(dispatcher: Running) -> None:
    person = a_person()
    await dispatcher.tell(person)
    await until(lambda: _outcome(dispatcher, person))
    status, totals = await dispatcher.call("GET", "/v1/deliveries/2026-06-14")
    assert status == 200
    assert {total["kind"] for total in totals["totals"]} == {"birthday"}
    assert "accepted" in {total["outcome"] for total in totals["totals"]}
    _, story = await dispatcher.call("GET", f"/v1/deliveries/2026-06-14/{person.id}/birthday")
    assert [step["type"] for step in story["steps"]] == ["attempted", "accepted"]
    assert [m.recipient for m in dispatcher.provider.mails].count(person.email) == 1


async def test_unknown_mail_is_listed_and_settled_by_an_operator(dispatcher: Running) -> None:
    person = a_person()
    await dispatcher.tell(person)
    dispatcher.provider.answer = lambda _: Unknown("timed_out")
    await until(lambda: _outcome(dispatcher, person))
    dispatcher.provider.answer = FakeProvider().answer
    _, listed = await dispatcher.call("GET", "/v1/unknown")
    assert [item["person_id"] for item in listed["items"]] == [str(person.id)]
    path = f"/v1/deliveries/2026-06-14/{person.id}/birthday/settle"
    status, settled = await dispatcher.call("POST", path, {"outcome": "accepted"})
    assert (status, settled["outcome"]) == (200, "accepted")
    status, problem = await dispatcher.call("POST", path, {"outcome": "resend"})
    assert (status, problem["code"]) == (409, "not_unknown")
    assert (await dispatcher.call("GET", "/v1/unknown"))[1]["items"] == []
    await until(lambda: _heard(dispatcher, dispatch.DELIVERY_ACCEPTED, person))


async def test_poison_and_dead_letters_wait_and_are_redriven(dispatcher: Running) -> None:
    await dispatcher.publish(topology.COMMANDS, dispatch.DISPATCH_REQUESTED, b"poison")
    dead = topology.dead_queue(topology.DISPATCHER_REQUESTS.name).name
    await dispatcher.publisher.publish(
        "", dead, b"[{}]", items=1, message_id="x", type_name=dispatch.DISPATCH_REQUESTED
    )
    items = await until(lambda: _waiting(dispatcher, 2))
    assert {item["reason"] for item in items} == {"malformed", "rejected"}
    status, _ = await dispatcher.call("POST", f"/v1/set-aside/{items[0]['id']}/redrive")
    assert status == 200
    await until(lambda: _waiting(dispatcher, 2))


async def test_suppressions_are_put_listed_and_deleted(dispatcher: Running) -> None:
    body = {"email": "Ada@Example.org", "reason": "bounced"}
    assert (await dispatcher.call("PUT", "/v1/suppressions", body))[0] == 200
    _, listed = await dispatcher.call("GET", "/v1/suppressions")
    assert [(one["address"], one["reason"]) for one in listed["items"]] == [
        ("ada@example.org", "bounced")
    ]
    for status in (204, 404):
        answer = await dispatcher.call("DELETE", "/v1/suppressions", {"email": "ada@example.ORG"})
        assert answer[0] == status


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1/deliveries/2026-06-31", None, 404),
        ("GET", f"/v1/deliveries/2026-06-14/{a_person().id}/birthday", None, 404),
        ("GET", "/v1/unknown?limit=0", None, 422),
        ("GET", "/v1/unknown?cursor=abc", None, 400),
        ("PUT", "/v1/suppressions", {"email": "nobody", "reason": "x"}, 422),
        ("PUT", "/v1/suppressions", {"email": "a@b.org", "reason": "Bad reason"}, 422),
        ("POST", f"/v1/set-aside/{a_person().id}/redrive", None, 404),
        (
            "POST",
            f"/v1/deliveries/2026-06-14/{a_person().id}/birthday/settle",
            {"outcome": "maybe"},
            422,
        ),
    ],
)
async def test_wrong_requests_are_refused_in_words(
    dispatcher: Running, method: str, path: str, body: Any, status: int
) -> None:
    answer = await dispatcher.call(method, path, body)
    assert (answer[0], answer[1]["status"]) == (status, status)


async def test_role_alone_serves_health_and_metrics_only(
    database_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with (
        fresh_vhost(amqp_url, amqp_api) as vhost,
        running(database_url, vhost, tmp_path, frozenset({"relay"})) as one,
    ):
        assert (await one.call("GET", "/v1/unknown"))[0] == 404
        async with one.http.get("/metrics") as metrics:
            assert "dispatcher_outcomes_total" in await metrics.text()


async def _outcome(dispatcher: Running, person: Any) -> bool | None:
    """Ask again until the contact is there, as the planner does; tell whether an outcome came."""
    types = [event.type for event in dispatcher.heard if event.data.person_id == person.id]
    returned = types.count(dispatch.DELIVERY_RETURNED)
    await dispatcher.request(a_request(person.id, release=1 + returned))
    return len(types) > returned or None


async def _heard(dispatcher: Running, type_name: str, person: Any) -> bool | None:
    return (
        any(
            event.type == type_name and event.data.person_id == person.id
            for event in dispatcher.heard
        )
        or None
    )


async def _waiting(dispatcher: Running, count: int) -> list[Any] | None:
    _, listed = await dispatcher.call("GET", "/v1/set-aside")
    items: list[Any] = listed["items"]
    return items if len(items) == count else None


@pytest.mark.edge_case("EC-W-007")
async def test_process_without_a_network_is_unready_and_takes_nothing_until_it_is_back(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with (
        fresh_database(pg_url, *wiring.MIGRATIONS) as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost,
        a_line_to(database_url) as (database_over_line, database_line),
        a_line_to(vhost) as (broker_over_line, broker_line),
        running(database_over_line, broker_over_line, tmp_path, listening_at=vhost) as one,
    ):
        person = a_person()
        await one.tell(person)
        await _known(database_url, 1)
        database_line.cut()
        broker_line.cut()
        await one.request(a_request(person.id))
        await until(lambda: _misses(one, {"database", "broker"}))
        assert one.provider.mails == []
        await database_line.mend()
        await broker_line.mend()

        async def greeted() -> bool | None:
            return len(one.provider.mails) == 1 or None

        await until(greeted, timeout_s=60)


async def test_nothing_is_taken_from_the_queue_while_the_breaker_is_open(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with (
        fresh_database(pg_url, *wiring.MIGRATIONS) as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost,
        running(
            database_url,
            vhost,
            tmp_path,
            DISPATCHER_BREAKER_FAILURES="1",
            DISPATCHER_BREAKER_PAUSE_S="3",
            DISPATCHER_PREFETCH="2",
        ) as one,
    ):
        people = [a_person() for _ in range(12)]
        await one.tell(*people)
        await _known(database_url, len(people))
        one.provider.answer = lambda _: Deferred("unreachable")
        await one.request(a_request(people[0].id))
        await until(lambda: _heard_of(one, 1))
        calls = one.provider.calls
        one.provider.answer = lambda mail: Accepted(mail.message_id)
        for person in people[1:]:
            await one.request(a_request(person.id))
        await asyncio.sleep(1.0)
        # Two are in hand, not claimed; nine wait in the queue as if nobody were there.
        async with await aio_pika.connect(vhost) as looking:
            channel = await looking.channel()
            queue = await channel.declare_queue(topology.DISPATCHER_REQUESTS.name, passive=True)
            assert queue.declaration_result.message_count == 9
        assert (one.provider.calls, len(one.heard)) == (calls, 1)
        await until(lambda: _heard_of(one, 12), timeout_s=30)
        assert len(one.provider.mails) == 11


async def _misses(one: Running, servers: set[str]) -> bool | None:
    status, health = await one.call("GET", "/health/ready")
    unwell = {name for name, word in health["checks"].items() if word != "ok"}
    return (status == 503 and servers <= unwell) or None


async def _heard_of(one: Running, deliveries: int) -> bool | None:
    return len(one.heard) >= deliveries or None


async def _known(database_url: str, people: int) -> None:
    """Wait until so many contacts are known."""
    connection = await asyncpg.connect(database_url)

    async def look() -> bool | None:
        return await connection.fetchval("SELECT count(*) FROM contacts") == people or None

    try:
        await until(look)
    finally:
        await connection.close()
