"""What nobody could deal with: kept for a person and told, never dropped, and in nobody's way."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from contracts import topology
from libs.broker import Delivery, Reject, consuming
from libs.broker.connection import Broker, open_broker
from libs.clock import FrozenClock
from libs.postgres.types import Pool
from libs.telemetry.metrics import exposition
from services.dispatcher.adapters.set_aside import SetAside, list_set_aside
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.set_aside import count_waiting, forget_redriven
from services.dispatcher.entrypoints.consumers import dead_letter_handler, request_handler
from tests.support.town import until
from tests.support.vhosts import fresh_vhost

WORK = topology.DISPATCHER_REQUESTS.name
DEAD = topology.dead_queue(WORK).name
WAITING = "dispatcher_set_aside_waiting"
GIVEN_UP = 'dispatcher_set_aside_total{reason="delivery_limit"}'


@pytest.fixture
async def broker(
    amqp_url: str, amqp_api: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Broker]:
    """Yield a broker with every queue, on which what fails comes again at once."""
    monkeypatch.setattr(consuming, "_REDELIVERY_PAUSE_S", 0.0)
    async with (
        fresh_vhost(amqp_url, amqp_api) as url,
        open_broker(url, name="test") as opened,
    ):
        await opened.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        yield opened


async def publish(broker: Broker, body: bytes, *, type_name: str = "any.v1") -> None:
    await broker.publisher.publish("", WORK, body, items=1, message_id="m", type_name=type_name)


async def kept(pool: Pool) -> list[SetAside]:
    async with pool.acquire() as link:
        return await list_set_aside(link, after=UUID(int=0), limit=100)


async def kept_in_the_end(pool: Pool, count: int) -> list[SetAside]:
    async def look() -> list[SetAside] | None:
        found = await kept(pool)
        return found if len(found) >= count else None

    return await until(look)


def shown(name: str) -> float:
    """Return what a metric shows; 0 before it was ever set."""
    text = exposition()[0].decode()
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


@pytest.mark.edge_case("EC-Q-009", "EC-Q-027", "EC-Q-028")
async def test_message_that_fails_every_time_is_given_up_told_and_counted(
    broker: Broker, pool: Pool, clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    tries = 0

    async def fail(_: Delivery) -> None:
        nonlocal tries
        tries += 1
        raise ValueError("again")

    given_up = shown(GIVEN_UP)
    await broker.consume(WORK, fail)
    await broker.consume(DEAD, dead_letter_handler(pool, clock), prefetch=1)
    await publish(broker, b"[]")
    (aside,) = await kept_in_the_end(pool, 1)
    assert (aside.queue, aside.reason) == (WORK, "delivery_limit")
    assert tries == topology.DELIVERY_LIMIT + 1
    assert shown(GIVEN_UP) == given_up + 1
    assert await count_waiting(pool) == shown(WAITING) == 1
    (told,) = (one for one in caplog.records if one.message == "message.set_aside")
    assert told.levelno == logging.ERROR


@pytest.mark.edge_case("EC-Q-030")
async def test_dead_letters_are_never_dropped_and_keep_no_other_message_back(
    broker: Broker, pool: Pool, clock: FrozenClock
) -> None:
    """Not even while they cannot be kept in the table."""
    done: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(delivery: Delivery) -> None:
        if delivery.body.startswith(b"bad"):
            raise Reject("bad")
        await done.put(delivery.body)

    await pool.execute("ALTER TABLE set_aside RENAME TO set_aside_elsewhere")
    await broker.consume(WORK, take)
    await broker.consume(DEAD, dead_letter_handler(pool, clock), prefetch=1)
    for number in range(30):
        await publish(broker, b"bad %d" % number)
        await publish(broker, b"good %d" % number)
    async with asyncio.timeout(20):
        good = {await done.get() for _ in range(30)}
    assert good == {b"good %d" % number for number in range(30)}
    await pool.execute("ALTER TABLE set_aside_elsewhere RENAME TO set_aside")
    asides = await kept_in_the_end(pool, 30)
    assert len(asides) == 30


@pytest.mark.edge_case("EC-Q-030")
@pytest.mark.parametrize("queue", topology.DEAD_QUEUES, ids=lambda queue: queue.name)
def test_dead_letter_queue_has_no_limit_at_which_it_would_drop(queue: topology.Queue) -> None:
    dropping = {"x-max-length", "x-max-length-bytes", "x-message-ttl", "x-expires", "x-overflow"}
    assert not dropping & set(queue.arguments)
    assert queue.arguments["x-queue-type"] == "quorum"
    assert int(queue.arguments["x-delivery-limit"]) >= 1_000_000


@pytest.mark.edge_case("EC-Q-024")
async def test_message_with_a_type_no_table_can_hold_is_kept_all_the_same(
    broker: Broker, pool: Pool, courier: Courier
) -> None:
    handler = request_handler(courier, gate_wait_s=1.0, is_draining=lambda: False)
    await broker.consume(WORK, handler)
    await publish(broker, b"[{}]", type_name="bad\0type")
    (aside,) = await kept_in_the_end(pool, 1)
    assert (aside.type, aside.reason) == ("bad\ufffdtype", "unknown_type")


async def test_what_was_sent_back_a_month_ago_is_forgotten_what_waits_is_not(
    pool: Pool, clock: FrozenClock
) -> None:
    for number, redriven_days_ago in enumerate((None, 29, 31)):
        await pool.execute(
            "INSERT INTO set_aside"
            " (id, queue, type, reason, body, items, recorded_at, redriven_at)"
            " VALUES ($1, 'q', 't', 'r', '', 1, $2::timestamptz - interval '99 days',"
            " $2 - make_interval(days => $3))",
            UUID(int=number),
            clock.now(),
            redriven_days_ago,
        )
    await forget_redriven(pool, now=clock.now())
    left = await pool.fetch("SELECT id FROM set_aside ORDER BY id")
    assert [row["id"].int for row in left] == [0, 1]
