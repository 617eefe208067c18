"""Workers that come, go, die and differ: every message is dealt with, and none waits for nobody."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest

from contracts import topology
from libs.broker import Delivery, consuming
from libs.broker.connection import Broker, open_broker
from libs.clock import monotonic_s
from libs.ids import new_id
from tests.support.vhosts import fresh_vhost

WORK = topology.DISPATCHER_REQUESTS.name
AT_ONCE_S = 5.0

WORKER = """
import asyncio, sys
from libs.broker.connection import open_broker

async def main(url, queue, fault):
    async def take(delivery):
        print("taken", flush=True)
        if fault == "memory":
            bytearray(1 << 60)
        await asyncio.sleep(3600)

    async with open_broker(url, name="worker") as broker:
        await broker.consume(queue, take, prefetch=1)
        await asyncio.sleep(3600)

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def vhost_url(amqp_url: str, amqp_api: str) -> AsyncIterator[str]:
    async with fresh_vhost(amqp_url, amqp_api) as url:
        yield url


@pytest.fixture
async def broker(vhost_url: str) -> AsyncIterator[Broker]:
    async with open_broker(vhost_url, name="test") as opened:
        await opened.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        yield opened


class Crew:
    """Workers on one queue; each message takes its worker a while."""

    def __init__(self, url: str) -> None:
        self.done: Counter[str] = Counter()
        self._url = url
        self._first_s: dict[str, float] = {}

    @asynccontextmanager
    async def worker(self, name: str, *, takes_s: float, prefetch: int = 1) -> AsyncIterator[None]:
        """Have a worker with a connection of its own take messages until the context ends."""

        async def take(_: Delivery) -> None:
            self._first_s.setdefault(name, monotonic_s())
            await asyncio.sleep(takes_s)
            self.done[name] += 1

        async with open_broker(self._url, name=name) as opened:
            await opened.consume(WORK, take, prefetch=prefetch)
            yield

    def began_s(self, name: str) -> float:
        """Return when a worker took its first message."""
        return self._first_s[name]

    async def dealt_with(self, messages: int) -> None:
        """Wait until so many are done."""
        async with asyncio.timeout(30):
            while self.done.total() < messages:  # noqa: ASYNC110 - several tasks count
                await asyncio.sleep(0.005)


async def publish(broker: Broker, messages: int) -> None:
    await asyncio.gather(
        *(
            broker.publisher.publish("", WORK, b"[]", items=1, message_id=str(new_id()))
            for _ in range(messages)
        )
    )


async def crew_of(stack: AsyncExitStack, crew: Crew, size: int, *, takes_s: float) -> None:
    for number in range(size):
        await stack.enter_async_context(crew.worker(f"worker {number}", takes_s=takes_s))


@pytest.mark.edge_case("EC-W-001")
async def test_backlog_of_an_outage_waits_and_is_drained(broker: Broker, vhost_url: str) -> None:
    await publish(broker, 40)
    crew = Crew(vhost_url)
    async with crew.worker("back again", takes_s=0.001, prefetch=4):
        await crew.dealt_with(40)
    assert crew.done.total() == 40


@pytest.mark.parametrize(
    ("fault", "is_killed"),
    [
        pytest.param("hang", True, id="EC-W-002 EC-W-004 EC-W-006 killed, as by a lack of memory"),
        pytest.param("memory", False, id="EC-W-006 EC-W-014 out of memory and alive"),
    ],
)
async def test_message_of_a_worker_that_fails_is_another_ones_at_once(
    broker: Broker, vhost_url: str, fault: str, is_killed: bool
) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, vhost_url, WORK, fault,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        await publish(broker, 1)
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), 30) == b"taken\n"
        if is_killed:
            process.send_signal(signal.SIGKILL)
        failed_s = monotonic_s()
        crew = Crew(vhost_url)
        async with crew.worker("other", takes_s=0.0):
            await crew.dealt_with(1)
        assert monotonic_s() - failed_s < AT_ONCE_S
        assert is_killed or process.returncode is None
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.edge_case("EC-W-009")
async def test_work_is_spread_evenly_over_ten_workers(broker: Broker, vhost_url: str) -> None:
    crew = Crew(vhost_url)
    async with AsyncExitStack() as stack:
        await crew_of(stack, crew, 10, takes_s=0.02)
        await publish(broker, 200)
        await crew.dealt_with(200)
    assert len(crew.done) == 10
    assert 10 <= min(crew.done.values()) <= max(crew.done.values()) <= 40


@pytest.mark.edge_case("EC-W-010")
async def test_three_times_the_workers_take_about_a_third_of_the_time(
    broker: Broker, vhost_url: str
) -> None:
    took_s: dict[int, float] = {}
    for size in (4, 12):
        crew = Crew(vhost_url)
        async with AsyncExitStack() as stack:
            await crew_of(stack, crew, size, takes_s=0.05)
            started_s = monotonic_s()
            await publish(broker, 120)
            await crew.dealt_with(120)
            took_s[size] = monotonic_s() - started_s
    assert took_s[4] / took_s[12] > 2.0


@pytest.mark.edge_case("EC-W-011")
async def test_worker_that_joins_under_load_takes_work_at_once(
    broker: Broker, vhost_url: str
) -> None:
    crew = Crew(vhost_url)
    async with crew.worker("first", takes_s=0.05, prefetch=4):
        await publish(broker, 100)
        await crew.dealt_with(4)
        async with crew.worker("second", takes_s=0.05, prefetch=4):
            joined_s = monotonic_s()
            await crew.dealt_with(100)
    assert crew.began_s("second") - joined_s < 1.0
    assert crew.done["second"] > 20


@pytest.mark.edge_case("EC-W-012")
async def test_worker_that_leaves_under_load_finishes_what_it_has_and_others_cope(
    broker: Broker, vhost_url: str
) -> None:
    crew = Crew(vhost_url)
    async with crew.worker("stays", takes_s=0.01, prefetch=2):
        async with crew.worker("leaves", takes_s=0.05, prefetch=2):
            await publish(broker, 100)
            await crew.dealt_with(10)
        left_with = crew.done["leaves"]
        await crew.dealt_with(100)
    assert (crew.done.total(), crew.done["leaves"]) == (100, left_with)


@pytest.mark.edge_case("EC-W-013")
async def test_fast_worker_takes_more_than_a_slow_one(broker: Broker, vhost_url: str) -> None:
    crew = Crew(vhost_url)
    async with (
        crew.worker("slow", takes_s=0.1, prefetch=2),
        crew.worker("fast", takes_s=0.005, prefetch=2),
    ):
        await publish(broker, 100)
        await crew.dealt_with(100)
    assert crew.done["fast"] > 4 * crew.done["slow"] > 0


@pytest.mark.edge_case("EC-W-015", "EC-Q-027")
async def test_message_that_fails_every_time_waits_for_a_person_in_the_end(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consuming, "_REDELIVERY_PAUSE_S", 0.0)
    tries: list[int] = []
    dead: asyncio.Queue[Delivery] = asyncio.Queue()

    async def fail(delivery: Delivery) -> None:
        tries.append(delivery.redeliveries)
        raise ValueError("again")

    await broker.consume(WORK, fail)
    await broker.consume(topology.dead_queue(WORK).name, dead.put)
    await publish(broker, 1)
    letter = await asyncio.wait_for(dead.get(), 30)
    assert letter.dead_reason == "delivery_limit"
    assert tries == list(range(topology.DELIVERY_LIMIT + 1))
