"""What happens when RabbitMQ is away, cut off, full or blocked: nothing is lost, all goes on."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import msgspec
import pytest

from contracts import codec, topology
from contracts.dispatch import DELIVERY_REFUSED
from deploy.native.ports import free_port
from libs.broker import Delivery, PublishError, consuming, publisher
from libs.broker.connection import Broker, open_broker
from libs.outbox import OutboxMessage, Relay, put
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.runtime.loops import FAILURES_UNTIL_UNREADY, Loop
from libs.runtime.stopping import Stopping
from tests.support.databases import fresh_database
from tests.support.lines import Line, a_line_to
from tests.support.town import until
from tests.support.vhosts import fresh_vhost
from tests.unit.contracts.test_codec import a_refusal

WORK = topology.PLANNER_OUTCOMES.name
BLOCKED_SOON_S = 0.3


@pytest.fixture
async def vhost_url(amqp_url: str, amqp_api: str) -> AsyncIterator[str]:
    async with fresh_vhost(amqp_url, amqp_api) as url:
        yield url


@pytest.fixture
async def broker(vhost_url: str) -> AsyncIterator[Broker]:
    async with open_broker(vhost_url, name="test") as opened:
        await opened.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        yield opened


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Pool]:
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as url,
        open_pool(url, name="test", size=2) as opened,
    ):
        yield opened


class Inbox:
    """Collects what a consumer is handed."""

    def __init__(self) -> None:
        self.deliveries: asyncio.Queue[Delivery] = asyncio.Queue()

    async def take(self, delivery: Delivery) -> None:
        await self.deliveries.put(delivery)

    async def next(self) -> Delivery:
        async with asyncio.timeout(20):
            return await self.deliveries.get()

    async def bodies(self, count: int) -> list[bytes]:
        return [(await self.next()).body for _ in range(count)]


async def publish(broker: Broker, body: bytes = b"[]") -> None:
    await broker.publisher.publish("", WORK, body, items=1, message_id="m")


async def published_in_the_end(broker: Broker, body: bytes = b"[]") -> None:
    """Publish as a relay would: again and again until it is confirmed."""

    async def look() -> bool | None:
        try:
            await publish(broker, body)
        except PublishError:
            return None
        return True

    await until(look)


async def queued(url: str, queue: str = WORK) -> int:
    """Return how many messages a queue holds that nobody has in hand."""
    async with await aio_pika.connect(url) as link, link.channel() as channel:
        declared = await channel.declare_queue(queue, passive=True)
        return declared.declaration_result.message_count or 0


async def put_refusals(pool: Pool, *numbers: int, padding: int = 0) -> None:
    rows = [
        OutboxMessage(
            topology.EVENTS, DELIVERY_REFUSED, 1,
            codec.encode_items([a_refusal(number)]) + b" " * padding,
        )
        for number in numbers
    ]  # fmt: skip
    async with pool.acquire() as link:
        await put(link, rows)


async def relayed(relay: Relay) -> None:
    """Relay as the loop does, until nothing waits."""

    async def look() -> bool | None:
        try:
            return await relay.run_once() == 0 or None
        except ExceptionGroup:
            return None

    await until(look)


def releases(delivery: Delivery) -> list[int]:
    return [event.data.release for event in codec.decode(delivery.type_name, delivery.body)]


@pytest.mark.edge_case("EC-Q-001")
async def test_a_broker_that_is_down_at_the_start_is_awaited_and_told(
    vhost_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    parts = urlsplit(vhost_url)
    later = urlunsplit(parts._replace(netloc=f"{parts.netloc.rpartition('@')[0]}@127.0.0.1:{port}"))
    line = Line(parts)
    line.port = port

    async def enter() -> bool:
        async with open_broker(later, name="test") as broker:
            return await broker.is_reachable()

    with caplog.at_level(logging.WARNING):
        entering = asyncio.create_task(enter())

        async def look() -> bool | None:
            return "connection.awaited" in caplog.text or None

        await until(look)
        assert not entering.done()
        await line.mend()
        assert await asyncio.wait_for(entering, 20)
    line.cut()


@pytest.mark.edge_case("EC-Q-002")
async def test_what_is_being_published_when_the_connection_is_lost_arrives_later(
    vhost_url: str, pool: Pool
) -> None:
    inbox = Inbox()
    async with (
        open_broker(vhost_url, name="near") as near,
        a_line_to(vhost_url) as (url, line),
        open_broker(url, name="far") as far,
    ):
        await near.declare(topology.EXCHANGES, topology.WORK_QUEUES)
        await near.consume(WORK, inbox.take)
        await put_refusals(pool, 1, 2, 3)
        line.hold()
        relay = Relay(pool, far.publisher, name="t")
        relaying = asyncio.create_task(relay.run_once())
        await line.held()
        line.cut()
        with pytest.raises(ExceptionGroup):
            await relaying
        await line.mend()
        await relayed(relay)
        assert releases(await inbox.next()) == [1, 2, 3]


@pytest.mark.edge_case("EC-Q-004")
async def test_a_split_network_slows_the_loop_down_is_told_and_heals(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT_S", 0.1)
    stopping, confirmed = Stopping(), 0
    async with a_line_to(vhost_url) as (url, line), open_broker(url, name="test") as broker:
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES)

        async def step() -> float:
            nonlocal confirmed
            await publish(broker)
            confirmed += 1
            return 3600.0

        loop = Loop("relay", step, error_pause_s=0.05, error_pause_max_s=0.2)
        line.hold()
        running = asyncio.create_task(loop.run(stopping))

        async def unwell() -> str | None:
            return await loop.check()

        assert "PublishError" in await until(unwell)
        assert loop.failures >= FAILURES_UNTIL_UNREADY
        line.cut()

        async def gone() -> bool | None:
            return not await broker.is_reachable() or None

        await until(gone)
        await line.mend()

        async def well() -> bool | None:
            return (confirmed == 1 and await loop.check() is None) or None

        await until(well)
        stopping.begin("the test is over")
        await running
    assert caplog.text.count("loop.failed") >= FAILURES_UNTIL_UNREADY


@pytest.mark.edge_case("EC-Q-007")
async def test_a_publish_nobody_confirms_in_time_is_an_error_and_can_be_repeated(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT_S", BLOCKED_SOON_S)
    async with a_line_to(vhost_url) as (url, line), open_broker(url, name="test") as broker:
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES)
        line.hold()
        with pytest.raises(PublishError, match="TimeoutError"):
            await publish(broker)
        line.go_on()
        await published_in_the_end(broker)
    assert await queued(vhost_url) >= 1


@pytest.mark.edge_case("EC-Q-008")
async def test_a_handler_that_times_out_is_told_and_keeps_no_other_message_back(
    broker: Broker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(consuming, "_REDELIVERY_PAUSE_S", 0.0)
    inbox = Inbox()

    async def time_out_once(delivery: Delivery) -> None:
        if delivery.body == b"slow" and not delivery.is_redelivered:
            async with asyncio.timeout(0.1):
                await asyncio.Event().wait()
        await inbox.take(delivery)

    await broker.consume(WORK, time_out_once, prefetch=2)
    await publish(broker, b"slow")
    await publish(broker, b"quick")
    assert await inbox.bodies(2) == [b"quick", b"slow"]
    assert "message.failed" in caplog.text


@asynccontextmanager
async def two_nodes(url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[str, Any]]:
    """Yield a URL whose host name has the addresses of two nodes, and the nodes."""
    parts = urlsplit(url)
    nodes = [Line(parts, host="127.0.0.1"), Line(parts, host="127.0.0.2")]
    await nodes[0].mend()
    nodes[1].port = nodes[0].port
    await nodes[1].mend()
    resolve = asyncio.get_running_loop().getaddrinfo

    async def addresses(host: Any, port: Any, **options: Any) -> Any:
        if host != "cluster.test":
            return await resolve(host, port, **options)
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", (node.host, int(port))) for node in nodes
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", addresses)
    login = parts.netloc.rpartition("@")[0]
    try:
        yield (
            urlunsplit(parts._replace(netloc=f"{login}@cluster.test:{nodes[0].port}")),
            nodes,
        )
    finally:
        for node in nodes:
            node.cut()


@pytest.mark.edge_case("EC-Q-010")
async def test_when_a_node_is_lost_another_address_of_the_same_name_is_used(
    vhost_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = Inbox()
    async with (
        two_nodes(vhost_url, monkeypatch) as (url, (first, second)),
        open_broker(url, name="test") as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES)
        await broker.consume(WORK, inbox.take)
        await publish(broker, b"through the first")
        assert (first.joined, second.joined) == (2, 0)
        first.cut()
        await published_in_the_end(broker, b"through the second")
        # What was not acknowledged before the loss comes again.
        while (await inbox.next()).body != b"through the second":
            pass
        assert second.joined >= 2


@pytest.mark.edge_case("EC-Q-011")
async def test_what_would_be_more_than_a_megabyte_travels_in_several_messages(
    broker: Broker, pool: Pool
) -> None:
    inbox = Inbox()
    await broker.consume(WORK, inbox.take)
    item_bytes = len(codec.encode_items([a_refusal(1)]))
    await put_refusals(pool, *range(1, 6), padding=500_000 - item_bytes)
    await put_refusals(pool, *range(6, 9), padding=300_000)
    await relayed(Relay(pool, broker.publisher, name="t"))
    deliveries = [await inbox.next() for _ in range(6)]
    assert sorted(len(releases(one)) for one in deliveries) == [1, 1, 1, 1, 2, 2]
    assert max(len(one.body) for one in deliveries) <= 1_000_000


@pytest.mark.edge_case("EC-Q-014")
async def test_a_full_queue_refuses_and_the_outbox_keeps_until_there_is_room(
    broker: Broker, vhost_url: str, pool: Pool
) -> None:
    arguments = topology.PLANNER_OUTCOMES.arguments | {"x-max-length": 2}
    full = msgspec.structs.replace(
        topology.PLANNER_OUTCOMES,
        name="full",
        routing_keys=(DELIVERY_REFUSED,),
        arguments=arguments,
    )
    await broker.declare((), (full,))
    relay, inbox = Relay(pool, broker.publisher, name="t", batch_rows=1), Inbox()
    await put_refusals(pool, *range(1, 21))

    async def relay_on() -> None:
        while await relay.run_once():
            pass

    with pytest.raises(ExceptionGroup) as refused:
        await relay_on()
    assert isinstance(refused.value.exceptions[0], PublishError)
    assert await queued(vhost_url, "full") < 20
    await broker.consume("full", inbox.take)
    await relayed(relay)
    taken = {releases(await inbox.next())[0] for _ in range(20)}
    assert taken == set(range(1, 21))


BLOCKED = bytes.fromhex("01 0000 00000010 000a 003c 0b") + b"low on disk" + b"\xce"
"""connection.blocked as RabbitMQ says it: AMQP 0-9-1, class 10, method 60, and the reason."""
UNBLOCKED = bytes.fromhex("01 0000 00000004 000a 003d ce")


@pytest.mark.edge_case("EC-Q-015", "EC-Q-016", "EC-PF-009")
async def test_while_the_broker_blocks_publishers_they_keep_and_consumers_go_on(
    vhost_url: str,
    pool: Pool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """As for disk or memory: RabbitMQ says so and reads no more from who publishes."""
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT_S", BLOCKED_SOON_S)
    inbox = Inbox()
    async with (
        open_broker(vhost_url, name="elsewhere") as elsewhere,
        a_line_to(vhost_url) as (url, line),
        open_broker(url, name="test") as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES)
        await broker.consume(WORK, inbox.take)
        relay = Relay(pool, broker.publisher, name="t")
        await put_refusals(pool, 1, 2)
        line.hold(only=0)
        line.say(BLOCKED, to=0)
        for _ in range(2):
            with pytest.raises(ExceptionGroup):
                await relay.run_once()
        await publish(elsewhere, b"[]")
        assert (await inbox.next()).body == b"[]"
        line.say(UNBLOCKED, to=0)
        line.go_on()
        await relayed(relay)
        assert releases(await inbox.next()) == [1, 2]
    assert "was blocked by: 'low on disk'" in caplog.text
    assert await pool.fetchval("SELECT done @> 1::int8 AND done @> 2::int8 FROM outbox_cursor")


@pytest.mark.edge_case("EC-Q-017")
async def test_what_is_published_while_a_consumer_drains_is_accepted_and_waits(
    broker: Broker, vhost_url: str
) -> None:
    inbox, go_on, later = Inbox(), asyncio.Event(), Inbox()

    async def finish_slowly(delivery: Delivery) -> None:
        await inbox.take(delivery)
        await go_on.wait()

    async with open_broker(vhost_url, name="draining") as draining:
        await draining.consume(WORK, finish_slowly, prefetch=1)
        await publish(broker, b"in hand")
        await inbox.next()
        ending = asyncio.create_task(draining.drain())
        await publish(broker, b"meanwhile")
        await publish(draining, b"by the one who drains")
        go_on.set()
        await ending
    assert inbox.deliveries.empty()
    await broker.consume(WORK, later.take)
    assert set(await later.bodies(2)) == {b"meanwhile", b"by the one who drains"}


@pytest.mark.edge_case("EC-Q-018")
async def test_a_thousand_messages_published_at_once_are_all_queued(
    broker: Broker, vhost_url: str
) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(publish(broker, b"%d" % number) for number in range(1000)))
    assert await queued(vhost_url) == 1000


@pytest.mark.edge_case("EC-Q-022")
async def test_no_message_is_handed_to_two_consumers_of_a_queue(
    broker: Broker, vhost_url: str
) -> None:
    one, other = Inbox(), Inbox()
    async with open_broker(vhost_url, name="other") as second:
        await broker.consume(WORK, one.take, prefetch=4)
        await second.consume(WORK, other.take, prefetch=4)
        wanted = {b"%d" % number for number in range(100)}
        await asyncio.gather(*(publish(broker, body) for body in wanted))

        async def look() -> bool | None:
            return one.deliveries.qsize() + other.deliveries.qsize() >= 100 or None

        await until(look)
    taken = [await one.bodies(one.deliveries.qsize()), await other.bodies(other.deliveries.qsize())]
    assert sorted(taken[0] + taken[1]) == sorted(wanted)
    assert all(taken)


@pytest.mark.edge_case("EC-PF-010")
async def test_a_network_that_is_full_makes_publishing_slow_and_loses_nothing(
    vhost_url: str, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_TIMEOUT_S", 1.0)
    inbox = Inbox()
    async with (
        open_broker(vhost_url, name="near") as near,
        a_line_to(vhost_url) as (url, line),
        open_broker(url, name="far") as far,
    ):
        await near.declare(topology.EXCHANGES, topology.WORK_QUEUES)
        await near.consume(WORK, inbox.take)
        relay = Relay(pool, far.publisher, name="t")
        line.bytes_per_s = 400_000
        await put_refusals(pool, 1, padding=100_000)
        began_s = asyncio.get_running_loop().time()
        assert await relay.run_once() == 1
        assert asyncio.get_running_loop().time() - began_s > 0.15
        assert releases(await inbox.next()) == [1]
        line.bytes_per_s = 50_000
        await put_refusals(pool, 2, padding=300_000)
        with pytest.raises(ExceptionGroup):
            await relay.run_once()
        line.bytes_per_s = None
        await relayed(relay)
        assert releases(await inbox.next()) == [2]
