"""What a planner must have to be ready, with a reason for each "no"."""

from collections.abc import Iterable
from datetime import timedelta

from contracts.kinds import Kind
from libs.clock import Clock
from libs.outbox import oldest_unpublished_s
from libs.postgres.types import Pool
from libs.runtime.health import Check
from services.planner.app.opening import measure_horizon
from services.planner.app.upkeep import partitions_ahead_days

PARTITIONS_MIN_DAYS = 7
HORIZON_MIN = timedelta(hours=48)


def partitions_check(pool: Pool, clock: Clock) -> Check:
    """Return the check that the plan has partitions for the days to come."""

    async def check() -> str | None:
        days = await partitions_ahead_days(pool, now=clock.now())
        if days >= PARTITIONS_MIN_DAYS:
            return None
        return f"partitions reach {days} days ahead, fewer than {PARTITIONS_MIN_DAYS}"

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


def horizon_check(pool: Pool, clock: Clock, kinds: Iterable[Kind]) -> Check:
    """Return the check that everything owed in the coming days is planned."""

    async def check() -> str | None:
        horizon = await measure_horizon(pool, kinds, now=clock.now())
        if horizon.ahead >= HORIZON_MIN:
            return None
        hours = horizon.ahead / timedelta(hours=1)
        return f"planned {hours:.1f} hours ahead, fewer than {HORIZON_MIN / timedelta(hours=1):g}"

    return check
