"""What this service does again and again: relay, upkeep."""

from datetime import timedelta

from libs.clock import Clock
from libs.outbox import Relay, oldest_unpublished_s
from libs.postgres.replica import Replica
from libs.runtime.loops import Loop
from services.user.adapters.metrics import OUTBOX_AGE_S, RELAYED_ROWS
from services.user.adapters.store import Store, connection_of
from services.user.app.upkeep import erase_unrestorable, forget_old_keys


def relay_loop(relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that publishes what waits in the outbox."""

    async def step() -> float:
        rows = await relay.run_once()
        RELAYED_ROWS.add(rows)
        return 0 if rows else pause_s

    return Loop("relay", step, pause_s=pause_s, error_pause_max_s=5.0)


def outbox_loop(relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that closes the outbox's gaps and keeps its partitions."""

    async def step() -> None:
        await relay.close_gaps()
        await relay.keep_partitions()

    return Loop("outbox", step, pause_s=pause_s)


def replica_loop(replica: Replica) -> Loop:
    """Return the loop that looks how far the replica is behind."""
    return Loop("replica", replica.check, pause_s=replica.check_pause_s)


def upkeep_loop(
    store: Store, clock: Clock, *, keys_kept: timedelta, retention: timedelta, pause_s: float
) -> Loop:
    """Return the loop that measures the outbox, forgets old keys and erases the long deleted.

    A round that left keys or people over is followed at once.
    """

    async def step() -> float:
        async with connection_of(store) as connection:
            OUTBOX_AGE_S.set(await oldest_unpublished_s(connection))
        has_more = await forget_old_keys(store, older_than=keys_kept)
        erased = await erase_unrestorable(store, retention=retention, now=clock.now())
        return 0 if has_more or erased else pause_s

    return Loop("upkeep", step, pause_s=pause_s)
