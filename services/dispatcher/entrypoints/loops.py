"""What the dispatcher does by itself, again and again."""

from pathlib import Path

from libs.clock import Clock
from libs.httpapi.answers.forgetting import forget_old_answers
from libs.outbox import Relay, oldest_unpublished_s
from libs.postgres.types import Pool
from libs.runtime.loops import Loop
from services.dispatcher.adapters.metrics import OUTBOX_AGE_SECONDS
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.forget_former import forget_former_contacts
from services.dispatcher.app.keep_partitions import keep_partitions
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.app.read_mailbox import read_mailbox
from services.dispatcher.app.set_aside import count_waiting, forget_redriven
from services.dispatcher.app.settle_unknown import record_lapsed_claims, settle_unknown
from services.dispatcher.app.take_reports import forget_reports
from services.dispatcher.domain.greeting import Greetings


def settle_loop(courier: Courier, *, pause_s: float) -> Loop:
    """Return the loop that finds lost outcomes and settles unknown ones."""

    async def step() -> float:
        lapsed = await record_lapsed_claims(courier.pool, now=courier.clock.now())
        settled = await settle_unknown(courier)
        return 0 if lapsed or settled else pause_s

    return Loop("settle", step, pause_s=pause_s)


def relay_loop(relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that publishes the outbox."""

    async def step() -> float:
        return 0 if await relay.run_once() else pause_s

    return Loop("relay", step, pause_s=pause_s)


def relay_upkeep_loop(pool: Pool, relay: Relay, *, pause_s: float) -> Loop:
    """Return the loop that keeps the outbox's partitions and closes the gaps in its cursor."""

    async def step() -> None:
        await relay.keep_partitions()
        await relay.close_gaps()
        async with pool.acquire() as connection:
            OUTBOX_AGE_SECONDS.set(await oldest_unpublished_s(connection))

    return Loop("relay-upkeep", step, pause_s=pause_s)


def texts_loop(pool: Pool, greetings: Greetings, *, pause_s: float) -> Loop:
    """Return the loop that keeps this process writing from the texts that hold."""

    async def step() -> float:
        return 0 if await keep_texts(pool, greetings) else pause_s

    return Loop("texts", step, pause_s=pause_s)


def mailbox_loop(pool: Pool, clock: Clock, path: Path, *, pause_s: float) -> Loop:
    """Return the loop that takes in the reports that come to a mailbox."""

    async def step() -> float:
        return 0 if await read_mailbox(pool, clock, path) else pause_s

    return Loop("mailbox", step, pause_s=pause_s)


def upkeep_loop(pool: Pool, clock: Clock, *, pause_s: float) -> Loop:
    """Return the loop that keeps partitions ahead, counts what is set aside, and forgets."""

    async def step() -> None:
        await keep_partitions(pool, now=clock.now())
        await count_waiting(pool)
        await forget_former_contacts(pool)
        await forget_reports(pool, now=clock.now())
        await forget_redriven(pool, now=clock.now())
        await forget_old_answers(pool)

    return Loop("upkeep", step, pause_s=pause_s)
