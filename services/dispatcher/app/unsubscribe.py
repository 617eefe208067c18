"""Ends mails of one kind to one person, and lets them begin again."""

import logging
from datetime import datetime

from libs.postgres.types import Pool
from services.dispatcher.adapters import unsubscribes
from services.dispatcher.adapters.blocks import tell_blocks
from services.dispatcher.adapters.metrics import UNSUBSCRIBES
from services.dispatcher.domain.unsubscribing import Unsubscribing

logger = logging.getLogger(__name__)


async def unsubscribe(pool: Pool, asked: Unsubscribing, *, now: datetime) -> None:
    """Send no mail of this kind to this person any more, queued ones included.

    The word and its news are one transaction; repeating it changes nothing. Of erased people
    nothing is noted.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await unsubscribes.lock_contact(connection, asked.person_id) == "erased":
            return
        is_new = await unsubscribes.put_unsubscribe(connection, asked, now=now)
        if is_new:
            await tell_blocks(connection, [asked.person_id], now=now)
    if is_new:
        UNSUBSCRIBES.add()
        logger.info("person.unsubscribed", extra={"kind": asked.kind})


async def resubscribe(pool: Pool, asked: Unsubscribing, *, now: datetime) -> bool:
    """Let mails of this kind go to this person again; tell whether they were unsubscribed."""
    async with pool.acquire() as connection, connection.transaction():
        await unsubscribes.lock_contact(connection, asked.person_id)
        was_there = await unsubscribes.delete_unsubscribe(connection, asked)
        if was_there:
            await tell_blocks(connection, [asked.person_id], now=now)
    return was_there
