"""pgqueuer: jobs in PostgreSQL, asyncio workers.

``pgq install``, then ``python pgqueuer_worker.py COUNT`` enqueues and
``python pgqueuer_worker.py work`` works.
"""

import asyncio
import json
import os
import sys

import aiohttp
import asyncpg
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgPoolDriver
from pgqueuer.models import Job
from pgqueuer.queries import Queries

DATABASE_URL = os.environ["RIVAL_DATABASE_URL"]
PROVIDER_URL = os.environ["RIVAL_PROVIDER_URL"]
_AT_ONCE = 500


async def _work() -> None:
    async with (
        asyncpg.create_pool(DATABASE_URL, min_size=4, max_size=8) as pool,
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session,
    ):
        queue = PgQueuer(AsyncpgPoolDriver(pool))

        @queue.entrypoint("send")
        async def send(job: Job) -> None:
            number = int(job.payload or b"0")
            mail = {"email": f"ada{number}@example.com", "message": f"Hey, Ada Number {number}"}
            async with session.post(PROVIDER_URL, json=mail) as response:
                answer = await response.json()
            await pool.execute(
                "INSERT INTO results (number, message_id) VALUES ($1, $2)",
                number,
                answer["messageId"],
            )

        await queue.run(batch_size=250, max_concurrent_tasks=1000)


async def _enqueue(count: int) -> None:
    async with asyncpg.create_pool(DATABASE_URL, min_size=1, max_size=1) as pool:
        queries = Queries(AsyncpgPoolDriver(pool))
        for first in range(0, count, _AT_ONCE):
            numbers = range(first, min(first + _AT_ONCE, count))
            payloads: list[bytes | None] = [json.dumps(number).encode() for number in numbers]
            size = len(payloads)
            await queries.enqueue(["send"] * size, payloads, [0] * size)


if __name__ == "__main__":
    asyncio.run(_work() if sys.argv[1] == "work" else _enqueue(int(sys.argv[1])))
