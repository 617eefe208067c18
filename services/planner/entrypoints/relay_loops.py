"""Publishes what the planner tells the world, and keeps its outbox."""

from libs.outbox import Relay, oldest_unpublished_s
from libs.postgres.types import Pool
from libs.runtime.loops import Loop
from services.planner.adapters.metrics import OUTBOX_AGE_SECONDS


def relay_loop(relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that publishes the outbox; it goes on soon after the broker is back."""

    async def step() -> float:
        return 0 if await relay.run_once() else pause_s

    return Loop("relay", step, pause_s=pause_s, error_pause_max_s=5.0)


def relay_upkeep_loop(pool: Pool, relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that keeps the outbox's partitions and closes the gaps in its cursor."""

    async def step() -> None:
        await relay.keep_partitions()
        await relay.close_gaps()
        async with pool.acquire() as connection:
            OUTBOX_AGE_SECONDS.set(await oldest_unpublished_s(connection))

    return Loop("relay-upkeep", step, pause_s=pause_s)
