"""Takes in what the dispatcher may not mail, so that questions are answered by it."""

from collections.abc import Sequence

from contracts.recipient_events import RecipientBlocksChanged
from libs.postgres.types import Pool
from services.planner.adapters.blocks import put_blocks


async def project_blocks(pool: Pool, told: Sequence[RecipientBlocksChanged]) -> int:
    """Take in what blocks whose mail; return how many of them were news.

    Nothing is planned or withheld by it: only the dispatcher's claim decides what is sent.

    Raises:
        UnstorableError: a value is out of bounds; nothing was taken in.
    """
    async with pool.acquire() as connection:
        return await put_blocks(connection, told)
