"""How long an event waits for the relay, also while a foreign transaction stays open."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import msgspec

from contracts import codec, dispatch, topology
from deploy.contracts.samples import sample
from libs.broker.connection import open_broker
from libs.broker.messages import Delivery
from libs.outbox import OutboxMessage, Relay, put
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.user.settings import UserSettings
from tests.bench.client import percentile_ms
from tests.support.databases import fresh_database
from tests.support.town import until
from tests.support.vhosts import fresh_vhost

PER_S = 1_000
SECONDS = 8
_LANES = 8
_PAUSE_S: float = next(
    field.default for field in msgspec.structs.fields(UserSettings) if field.name == "relay_pause_s"
)
_QUEUE = topology.PLANNER_OUTCOMES.name


async def measure(pg_url: str, amqp_url: str, amqp_api: str) -> dict[str, Any]:
    """Put 1,000 events a second, one row and one commit each; return the lag to a consumer."""
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        open_pool(database_url, name="bench", size=8) as pool,
        open_broker(vhost_url, name="bench") as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        watch = Watch()
        await broker.consume(_QUEUE, watch.take, prefetch=50)
        working = asyncio.create_task(_relay(Relay(pool, broker.publisher, name="bench")))
        try:
            alone = await watch.lags(pool)
            async with _foreign_transaction(database_url):
                beside = await watch.lags(pool)
        finally:
            working.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await working
            await broker.drain()
    return {
        "what": "relay lag at 1,000 events/s",
        "items": len(alone),
        "per_s": PER_S,
        "p50_ms": percentile_ms(alone, 0.5),
        "p99_ms": percentile_ms(alone, 0.99),
        "p99_ms_beside_a_foreign_transaction": percentile_ms(beside, 0.99),
    }


async def _relay(relay: Relay) -> None:
    while True:
        if not await relay.run_once():
            await asyncio.sleep(_PAUSE_S)


class Watch:
    """Knows when each event was put and how long it took to a consumer."""

    def __init__(self) -> None:
        self._put_s: dict[str, float] = {}
        self._lags_s: list[float] = []
        self._template = sample(dispatch.DELIVERY_ACCEPTED)

    async def take(self, delivery: Delivery) -> None:
        """Note the lag of every event of a message, from before its commit."""
        now_s = time.perf_counter()
        for event in codec.decode(delivery.type_name, delivery.body):
            self._lags_s.append(now_s - self._put_s[event.id])

    async def lags(self, pool: Pool) -> list[float]:
        """Put a round of events and return their lags in seconds."""
        self._lags_s.clear()
        started_s = time.perf_counter()
        await asyncio.gather(*(self._put(pool, started_s, lane) for lane in range(_LANES)))

        async def look() -> list[float] | None:
            return list(self._lags_s) if len(self._lags_s) >= PER_S * SECONDS else None

        return await until(look)

    async def _put(self, pool: Pool, started_s: float, lane: int) -> None:
        for number in range(lane, PER_S * SECONDS, _LANES):
            await asyncio.sleep(started_s + number / PER_S - time.perf_counter())
            event = msgspec.structs.replace(self._template, id=f"{started_s}-{number}")
            body = codec.encode_items([event])
            row = OutboxMessage(topology.EVENTS, dispatch.DELIVERY_ACCEPTED, 1, body)
            self._put_s[event.id] = time.perf_counter()
            async with pool.acquire() as connection, connection.transaction():
                await put(connection, [row])


@contextlib.asynccontextmanager
async def _foreign_transaction(url: str) -> AsyncIterator[None]:
    connection = await asyncpg.connect(url)
    try:
        async with connection.transaction():
            await connection.fetchval("SELECT pg_current_xact_id()")
            yield
    finally:
        await connection.close()
