"""Forgets what contacts were, once no mail is repeated from it any more."""

from libs.postgres.types import Pool
from services.dispatcher.adapters.contacts import drop_former_contacts
from services.dispatcher.adapters.delivery_doubts import LOOKED_BACK_DAYS

KEPT_S = LOOKED_BACK_DAYS * 86_400.0
"""Real seconds: as long as unknown outcomes are settled, longer than any provider's key lives."""
_AT_ONCE = 10_000


async def forget_former_contacts(pool: Pool) -> int:
    """Forget a bounded number of them and return how many; the rest follows at the next round."""
    async with pool.acquire() as connection:
        return await drop_former_contacts(connection, older_than_s=KEPT_S, limit=_AT_ONCE)
