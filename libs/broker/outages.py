"""What becomes of messages while the database is away."""

import asyncio

import asyncpg

from libs.broker.messages import Delivery, Handler, Later
from libs.postgres.types import Pool
from libs.resilience import PASSING

_ANSWER_S = 5.0


def outlasting_outages(handler: Handler, pool: Pool) -> Handler:
    """Return ``handler``, except that no message is given up because the database is away.

    A failure while PostgreSQL answers is the message's own, and counts.
    """

    async def take(delivery: Delivery) -> None:
        try:
            await handler(delivery)
        except PASSING as error:
            if await _is_away(pool):
                raise Later from error
            raise

    return take


async def _is_away(pool: Pool) -> bool:
    try:
        async with asyncio.timeout(_ANSWER_S):
            await pool.fetchval("SELECT 1")
    except (*PASSING, asyncpg.PostgresError):
        return True
    return False
