"""Events per second through the relay: outbox rows of one event each, published with confirms."""

from typing import Any

from contracts import codec, dispatch, topology
from deploy.contracts.samples import sample
from libs.broker.connection import open_broker
from libs.outbox import OutboxMessage, Relay, put
from libs.postgres.pool import open_pool
from tests.bench.processor import Meter
from tests.bench.rivals.script import measure_script
from tests.support.databases import fresh_database
from tests.support.vhosts import fresh_vhost

EVENTS = 20_000


async def measure(pg_url: str, amqp_url: str, amqp_api: str) -> dict[str, Any]:
    """Relay ``EVENTS`` waiting rows and return rate and cost."""
    body = codec.encode_items([sample(dispatch.DELIVERY_ACCEPTED)])
    row = OutboxMessage(topology.EVENTS, dispatch.DELIVERY_ACCEPTED, 1, body)
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        open_pool(database_url, name="bench", size=2) as pool,
        open_broker(vhost_url, name="bench") as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        async with pool.acquire() as connection:
            await put(connection, [row] * EVENTS)
        relay = Relay(pool, broker.publisher, name="bench")
        meter = Meter()
        while await relay.run_once():
            pass
        usage = meter.read()
    cpu_s = sum(usage.cpu_s.values())
    return {
        "what": "relay, one event per row",
        "items": EVENTS,
        "per_s": round(EVENTS / usage.wall_s),
        "cpu_ms_per_1000": round(cpu_s / EVENTS * 1e6, 1),
        "usage": usage,
    }


async def measure_faststream_outbox(pg_url: str, amqp_url: str, amqp_api: str) -> dict[str, Any]:
    """Have the library relay as many rows, each an event, to a quorum queue."""
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
    ):
        return await measure_script(
            "faststream_outbox_relay.py",
            what="relay, faststream-outbox",
            items=EVENTS // 10,
            environ={"RIVAL_DATABASE_URL": database_url, "RIVAL_BROKER_URL": vhost_url},
        )
