"""Puts messages aside that nobody can deal with, and sends them back when their cause is mended."""

import logging
from datetime import datetime, timedelta
from uuid import UUID

from libs.broker import Publisher
from libs.clock import Clock
from libs.ids import new_id
from libs.postgres.types import Pool
from libs.telemetry.tracing import current_traceparent
from services.dispatcher.adapters import set_aside as table
from services.dispatcher.adapters.metrics import SET_ASIDE, SET_ASIDE_WAITING

logger = logging.getLogger(__name__)

REDRIVEN_KEPT = timedelta(days=30)


async def set_aside(
    pool: Pool, clock: Clock, *, queue: str, type_name: str, reason: str, body: bytes, items: int
) -> None:
    """Keep a message for a person; repeating it changes nothing."""
    async with pool.acquire() as connection:
        aside_id = await table.put_set_aside(
            connection,
            queue=queue,
            type_name=type_name,
            reason=reason,
            body=body,
            items=items,
            now=clock.now(),
        )
    SET_ASIDE.add(reason=reason)
    logger.error("message.set_aside", extra={"id": str(aside_id), "queue": queue, "reason": reason})


async def redrive(pool: Pool, publisher: Publisher, clock: Clock, aside_id: UUID) -> bool:
    """Send a waiting message back to its queue; tell whether it was waiting.

    It is marked only after the broker has confirmed it. A crash in between leaves it waiting, and
    another redrive sends a copy, which the consumer recognises.

    Raises:
        PublishError: the broker did not confirm; it still waits.
    """
    async with pool.acquire() as connection:
        waiting = await table.find_set_aside(connection, aside_id)
    if waiting is None:
        return False
    await publisher.publish(
        "",
        waiting.queue,
        waiting.body,
        items=waiting.items,
        message_id=str(new_id()),
        type_name=waiting.type,
        traceparent=current_traceparent(),
    )
    async with pool.acquire() as connection:
        await table.mark_redriven(connection, waiting, now=clock.now())
    logger.info("message.redriven", extra={"id": str(aside_id), "queue": waiting.queue})
    return True


async def count_waiting(pool: Pool) -> int:
    """Return how many messages wait for a person, and show it as a metric."""
    async with pool.acquire() as connection:
        waiting = await table.count_set_aside(connection)
    SET_ASIDE_WAITING.set(waiting)
    return waiting


async def forget_redriven(pool: Pool, *, now: datetime) -> None:
    """Forget what was sent back long ago; what waits for a person waits as long as it takes."""
    async with pool.acquire() as connection:
        await table.drop_set_aside(connection, before=now - REDRIVEN_KEPT)
