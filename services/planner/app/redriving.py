"""Keeps messages nobody could deal with, and sends them back when their cause is mended."""

import logging
from collections.abc import Sequence
from uuid import UUID

from libs.broker import Publisher
from libs.postgres.types import Pool
from services.planner.adapters import set_aside
from services.planner.adapters.set_aside import Listed, SetAside

logger = logging.getLogger(__name__)


async def keep_aside(pool: Pool, messages: Sequence[SetAside]) -> None:
    """Keep ``messages`` until a person has looked at them."""
    async with pool.acquire() as connection:
        await set_aside.put_set_aside(connection, messages)
    for message in messages:
        facts = {"queue": message.queue, "type": message.type, "reason": message.reason}
        logger.error("message.set_aside", extra=facts)


async def count_aside(pool: Pool) -> int:
    """Return how many messages wait for a person."""
    async with pool.acquire() as connection:
        return await set_aside.count_set_aside(connection)


async def list_aside(pool: Pool, *, after: UUID | None, limit: int) -> list[Listed]:
    """Return what waits for a person, oldest first."""
    async with pool.acquire() as connection:
        return await set_aside.list_set_aside(connection, after=after, limit=limit)


async def redrive(pool: Pool, publisher: Publisher, message_id: UUID) -> bool:
    """Send a message back to the queue it came from; False if it does not wait here.

    Published while the row is held: without the commit it can be redriven once more, and consumers
    recognise what they have.

    Raises:
        PublishError: the broker did not confirm it; it still waits here.
    """
    async with pool.acquire() as connection, connection.transaction():
        message = await set_aside.take_set_aside(connection, message_id)
        if message is None:
            return False
        await publisher.publish(
            "",
            message.queue,
            message.body,
            items=message.items,
            message_id=str(message.id),
            type_name=message.type,
        )
        await set_aside.mark_redriven(connection, message_id)
    logger.info("message.redriven", extra={"queue": message.queue, "type": message.type})
    return True
