"""Publishing and consuming on the real broker."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit

import aio_pika
import pytest

from contracts import topology
from libs.broker import Delivery, Later, PublishError, Reject, consuming
from libs.broker.connection import Broker, open_broker
from libs.broker.publisher import ConfirmingPublisher
from libs.resilience import LoginRefusedError
from tests.support.town import until
from tests.support.vhosts import cut_consumers, fresh_vhost

KEY = "user.changed.v1"
WORK = topology.PLANNER_USERS.name


@pytest.fixture
async def vhost_url(amqp_url: str, amqp_api: str) -> AsyncIterator[str]:
    async with fresh_vhost(amqp_url, amqp_api) as url:
        yield url


@pytest.fixture
async def broker(vhost_url: str) -> AsyncIterator[Broker]:
    async with open_broker(vhost_url, name="test") as opened:
        await opened.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
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


async def publish(broker: Broker, body: bytes, *, key: str = KEY) -> None:
    await broker.publisher.publish(topology.EVENTS, key, body, items=1, message_id="m")


async def test_a_message_reaches_every_bound_queue_with_its_type(broker: Broker) -> None:
    inbox = Inbox()
    await broker.consume(WORK, inbox.take)
    await broker.consume(topology.DISPATCHER_USERS.name, inbox.take)
    await publish(broker, b"[]")
    taken = [await inbox.next(), await inbox.next()]
    assert {delivery.queue for delivery in taken} == {WORK, topology.DISPATCHER_USERS.name}
    assert {delivery.type_name for delivery in taken} == {KEY}


@pytest.mark.edge_case("EC-Q-012")
async def test_an_unroutable_message_is_an_error(broker: Broker) -> None:
    with pytest.raises(PublishError):
        await publish(broker, b"[]", key="nobody.listens.v1")
    await publish(broker, b"[]")


async def test_a_fact_that_nobody_need_hear_may_be_published_to_nobody(vhost_url: str) -> None:
    key = "nobody.listens.v1"
    async with open_broker(vhost_url, name="test", unheard=frozenset({key})) as broker:
        await broker.declare(topology.EXCHANGES, ())
        await publish(broker, b"[]", key=key)
        with pytest.raises(PublishError):
            await publish(broker, b"[]", key="nobody.else.v1")


@pytest.mark.edge_case("EC-Q-012")
async def test_refused_messages_leave_no_channels_open(vhost_url: str) -> None:
    async with await aio_pika.connect_robust(vhost_url) as connection:
        publisher = ConfirmingPublisher(connection)
        for _ in range(5):
            with pytest.raises(PublishError):
                await publisher.publish("", "no.such.queue", b"[]", items=1, message_id="m")
        transport = connection.transport
        assert transport is not None
        assert len(transport.connection.channels) == 0


async def test_a_refused_message_does_not_keep_its_neighbours_from_being_confirmed(
    broker: Broker,
) -> None:
    send = broker.publisher.publish
    results = await asyncio.gather(
        *(
            send(topology.EVENTS, key, b"[]", items=1, message_id=f"m{place}")
            for place, key in enumerate(["nobody.listens.v1", KEY] * 20)
        ),
        return_exceptions=True,
    )
    assert [isinstance(result, PublishError) for result in results] == [True, False] * 20


@pytest.mark.edge_case("EC-Q-006")
async def test_a_missing_exchange_is_an_error_and_the_next_publish_works(broker: Broker) -> None:
    with pytest.raises(PublishError):
        await broker.publisher.publish("nowhere", KEY, b"[]", items=1, message_id="m")
    await publish(broker, b"[]")


@pytest.mark.edge_case("EC-W-014", "EC-Q-020")
async def test_a_message_whose_handler_fails_comes_back(broker: Broker) -> None:
    inbox = Inbox()

    async def fail_once(delivery: Delivery) -> None:
        await inbox.take(delivery)
        if not delivery.is_redelivered:
            raise ValueError("the database went away")

    await broker.consume(WORK, fail_once)
    await publish(broker, b"[]")
    assert [(await inbox.next()).is_redelivered for _ in range(2)] == [False, True]


@pytest.mark.edge_case("EC-Q-003", "EC-Q-019")
async def test_what_is_in_hand_is_finished_when_the_connection_is_cut(
    broker: Broker, vhost_url: str, amqp_api: str
) -> None:
    inbox, release, finished = Inbox(), asyncio.Event(), asyncio.Event()

    async def slow(delivery: Delivery) -> None:
        await inbox.take(delivery)
        if not delivery.is_redelivered:
            await release.wait()
            finished.set()

    await broker.consume(WORK, slow)
    await publish(broker, b"[]")
    await inbox.next()
    await until(lambda: cut_consumers(amqp_api, vhost_url))
    assert (await inbox.next()).is_redelivered
    release.set()
    async with asyncio.timeout(5):
        await finished.wait()


@pytest.mark.edge_case("EC-Q-025")
async def test_a_message_that_is_put_off_is_never_given_up(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "_REDELIVERY_PAUSE_S", 0.0)
    inbox, rounds = Inbox(), topology.DELIVERY_LIMIT + 5

    async def put_off(delivery: Delivery) -> None:
        await inbox.take(delivery)
        raise Later

    await broker.consume(WORK, put_off)
    await publish(broker, b"[]")
    deliveries = [await inbox.next() for _ in range(rounds)]
    assert {one.redeliveries for one in deliveries} == {0}
    assert len({(one.body, one.type_name, one.message_id) for one in deliveries}) == 1


@pytest.mark.edge_case("EC-Q-020")
async def test_redeliveries_are_counted(broker: Broker) -> None:
    inbox = Inbox()

    async def fail_twice(delivery: Delivery) -> None:
        await inbox.take(delivery)
        if delivery.redeliveries < 2:
            raise ValueError("the database went away")

    await broker.consume(WORK, fail_twice)
    await publish(broker, b"[]")
    assert [(await inbox.next()).redeliveries for _ in range(3)] == [0, 1, 2]


@pytest.mark.edge_case("EC-Q-021")
async def test_a_rejected_message_waits_in_the_dead_letter_queue(broker: Broker) -> None:
    inbox = Inbox()

    async def reject(delivery: Delivery) -> None:
        raise Reject(delivery.type_name)

    await broker.consume(WORK, reject)
    await broker.consume(f"{WORK}.dead", inbox.take)
    await publish(broker, b"poison")
    dead = await inbox.next()
    assert (dead.body, dead.dead_reason, dead.type_name) == (b"poison", "rejected", KEY)


@pytest.mark.edge_case("EC-Q-029")
async def test_a_dead_letter_can_be_sent_back_to_its_queue(broker: Broker) -> None:
    inbox = Inbox()
    await broker.consume(WORK, inbox.take)
    await broker.publisher.publish("", WORK, b"[]", items=1, message_id="m", type_name=KEY)
    assert (await inbox.next()).type_name == KEY


@pytest.mark.edge_case("EC-Q-026")
async def test_no_more_than_the_prefetch_is_in_hand(broker: Broker) -> None:
    inbox, release = Inbox(), asyncio.Event()

    async def hold(delivery: Delivery) -> None:
        await inbox.take(delivery)
        await release.wait()

    for _ in range(5):
        await publish(broker, b"[]")
    await broker.consume(WORK, hold, prefetch=2)
    await inbox.next()
    await inbox.next()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(inbox.deliveries.get(), 0.3)
    release.set()
    for _ in range(3):
        await inbox.next()


@pytest.mark.edge_case("EC-W-003")
async def test_draining_waits_for_what_is_in_hand(broker: Broker) -> None:
    inbox, release, finished = Inbox(), asyncio.Event(), asyncio.Event()

    async def slow(delivery: Delivery) -> None:
        await inbox.take(delivery)
        await release.wait()
        finished.set()

    await broker.consume(WORK, slow)
    await publish(broker, b"[]")
    await inbox.next()
    draining = asyncio.create_task(broker.drain())
    await asyncio.sleep(0)
    assert not draining.done()
    release.set()
    await draining
    assert finished.is_set()


@pytest.mark.edge_case("EC-Q-012")
async def test_a_queue_declared_with_other_arguments_is_refused(broker: Broker) -> None:
    changed = topology.Queue(
        name=WORK,
        exchange=topology.EVENTS,
        routing_keys=(KEY,),
        arguments={"x-queue-type": "quorum", "x-delivery-limit": 3},
    )
    with pytest.raises(aio_pika.exceptions.ChannelPreconditionFailed):
        await broker.declare((), (changed,))


async def test_the_broker_says_that_it_is_reachable(broker: Broker) -> None:
    assert await broker.is_reachable()


@pytest.mark.edge_case("EC-Q-005")
async def test_a_broker_that_does_not_let_us_in_is_not_waited_for(amqp_url: str) -> None:
    parts = urlsplit(amqp_url)
    netloc = f"nobody:wrong@{parts.netloc.rpartition('@')[2]}"
    with pytest.raises(LoginRefusedError, match="rabbitmq"):
        async with open_broker(urlunsplit(parts._replace(netloc=netloc)), name="test"):
            pass
