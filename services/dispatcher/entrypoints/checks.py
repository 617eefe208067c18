"""What must hold for a dispatcher to be ready, and the reason where it does not."""

from libs.clock import Clock
from libs.outbox import oldest_unpublished_s
from libs.postgres.types import Pool
from libs.runtime.health import Check
from services.dispatcher.app.keep_partitions import DAYS_AHEAD_AT_LEAST, days_ahead


def partitions_check(pool: Pool, clock: Clock) -> Check:
    """Return the check that there are partitions for the days to come."""

    async def check() -> str | None:
        days = await days_ahead(pool, now=clock.now())
        if days >= DAYS_AHEAD_AT_LEAST:
            return None
        return f"partitions reach {days} days ahead, at least {DAYS_AHEAD_AT_LEAST} are needed"

    return check


def outbox_check(pool: Pool, *, longest_s: float) -> Check:
    """Return the check that the outbox is being published."""

    async def check() -> str | None:
        async with pool.acquire() as connection:
            age_s = await oldest_unpublished_s(connection)
        if age_s <= longest_s:
            return None
        return f"the oldest outbox row has waited {age_s:.0f} s"

    return check
