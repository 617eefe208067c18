"""faststream-outbox: rows of PostgreSQL, one event each, relayed to a quorum queue.

``python faststream_outbox_relay.py COUNT`` fills the table, prints ``ready``, waits for a line,
relays until the queue has them all, prints the seconds it took, and waits for another line.
"""

import asyncio
import logging
import os
import sys
import time
from typing import Any

from faststream.rabbit import QueueType, RabbitBroker, RabbitQueue
from faststream_outbox import OutboxBroker, make_outbox_table
from sqlalchemy import MetaData
from sqlalchemy.ext.asyncio import create_async_engine

_QUEUE = RabbitQueue("events", queue_type=QueueType.QUORUM, durable=True)
_BODY = {"id": "0" * 36, "type": "jubilee.delivery.accepted.v1", "data": {"text": "x" * 900}}
_AT_ONCE = 500


async def _main(count: int) -> None:
    metadata = MetaData()
    table = make_outbox_table(metadata, table_name="outbox_rows")
    url = os.environ["RIVAL_DATABASE_URL"].partition("://")[2]
    engine = create_async_engine(f"postgresql+asyncpg://{url}", pool_size=20)
    async with engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    outbox = OutboxBroker(engine, outbox_table=table)
    rabbit = RabbitBroker(os.environ["RIVAL_BROKER_URL"])
    relayed = 0
    is_done = asyncio.Event()

    @outbox.subscriber(
        "events",
        max_workers=16,
        fetch_batch_size=_AT_ONCE,
        min_fetch_interval=0.001,
        max_fetch_interval=0.05,
        terminal_flush_batch_size=100,
    )
    async def relay(body: dict[str, Any]) -> None:
        nonlocal relayed
        await rabbit.publish(body, queue=_QUEUE, persist=True)
        relayed += 1
        if relayed == count:
            is_done.set()

    await rabbit.start()
    await rabbit.declare_queue(_QUEUE)
    for first in range(0, count, _AT_ONCE):
        bodies = [_BODY] * min(_AT_ONCE, count - first)
        async with engine.begin() as connection:
            await outbox.publish_batch(*bodies, queue="events", session=connection)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    started_s = time.perf_counter()
    await outbox.start()
    await is_done.wait()
    print(time.perf_counter() - started_s, flush=True)
    await asyncio.to_thread(sys.stdin.readline)


if __name__ == "__main__":
    logging.disable(logging.INFO)
    asyncio.run(_main(int(sys.argv[1])))
