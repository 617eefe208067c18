"""An application of somebody else subscribes to the contracts, as the README shows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aio_pika

from contracts import codec, topology
from tests.support.town import BEFORE_NINE, a_town

TYPES = ("user.registered.v1", "delivery.accepted.v1")


async def collect(queue: aio_pika.abc.AbstractQueue) -> dict[str, dict[str, Any]]:
    """Return the first event of each type, checked against its contract."""
    seen: dict[str, dict[str, Any]] = {}
    async with asyncio.timeout(60):
        async for message in queue.iterator():
            async with message.process():
                type_name = message.type or ""
                assert codec.decode(type_name, message.body)
                seen[type_name] = json.loads(message.body)[0]
            if set(seen) == set(TYPES):
                break
    return seen


async def test_a_queue_of_ones_own_gets_every_fact(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        connection = await aio_pika.connect(town.env["USER_BROKER_URL"])
        async with connection, connection.channel() as channel:
            queue = await channel.declare_queue(
                "crm.v1", durable=True, arguments={"x-queue-type": "quorum"}
            )
            for type_name in TYPES:
                await queue.bind(topology.EVENTS, routing_key=type_name)
            person_id = await town.register(1)
            await town.start("planner", is_awaited=False)
            await town.start("dispatcher", is_awaited=False)
            seen = await collect(queue)
        assert seen["user.registered.v1"]["subject"] == person_id
        assert seen["delivery.accepted.v1"]["data"]["person_id"] == person_id
        assert "@" not in json.dumps(seen["delivery.accepted.v1"]["data"]).replace(
            seen["delivery.accepted.v1"]["data"]["message_id"], ""
        )
