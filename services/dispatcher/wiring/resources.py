"""What every dispatcher process holds, opened in the order in which it is needed."""

import math
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from contracts import topology
from libs.broker.connection import Broker, open_broker
from libs.clock import Clock, open_clock
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.resilience import Guard
from libs.runtime.process import StartupError
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.adapters.permits import Rate
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.keep_partitions import keep_partitions
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.mail import ProviderFactory, make_greetings, make_writer

NAME = "dispatcher"
MIGRATIONS = (
    "libs.outbox.migrations",
    "libs.httpapi.rates.migrations",
    "libs.httpapi.answers.migrations",
    "services.dispatcher.migrations",
)
STATEMENT_TIMEOUT_S = 30.0
"""The relay closes a gap in the outbox only after longer than any statement may last."""
PLANNING = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
"""Every statement is planned once, and by its indexes. Planning over two months of partitions costs
more than running, and a plan made while a day's partition was still empty would read all of it
again for every request of that day's herd."""
NEEDS_PROVIDER = frozenset({"deliver", "settle"})


@dataclass(frozen=True)
class Resources:
    """What is open for as long as the process runs. There is a courier where a role delivers."""

    pool: Pool
    clock: Clock
    broker: Broker
    greetings: Greetings
    writer: MimeWriter
    courier: Courier | None


@asynccontextmanager
async def open_resources(
    settings: DispatcherSettings, roles: frozenset[str], provider_factory: ProviderFactory
) -> AsyncIterator[Resources]:
    """Open what ``roles`` need, once the settings and the database are fit for it.

    Raises:
        StartupError: the database lacks migrations, or a setting cannot be used.
    """
    greetings, writer = make_greetings(settings), make_writer(settings)
    async with AsyncExitStack() as stack:
        pool = await stack.enter_async_context(
            open_pool(
                settings.database_url,
                name=NAME,
                size=settings.pool_size,
                statement_timeout_s=STATEMENT_TIMEOUT_S,
                settings=PLANNING,
            )
        )
        await refuse_old_tables(pool)
        clock = await stack.enter_async_context(
            open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env)
        )
        # Before anything is consumed: a claim needs its partition and its text.
        await keep_partitions(pool, now=clock.now())
        await keep_texts(pool, greetings)
        courier = None
        if roles & NEEDS_PROVIDER:
            provider = provider_factory(settings)
            stack.push_async_callback(provider.close)
            courier = _courier(settings, pool, clock, provider, greetings)
        broker = await stack.enter_async_context(
            open_broker(settings.broker_url, name=NAME, unheard=topology.UNHEARD)
        )
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        yield Resources(pool, clock, broker, greetings, writer, courier)


async def refuse_old_tables(pool: Pool) -> None:
    """Go on only with a database that has every migration.

    Raises:
        StartupError: it lacks some.
    """
    async with pool.acquire() as connection:
        missing = await migrations.pending(connection, *MIGRATIONS)
    if missing:
        raise StartupError(
            f"the database lacks {len(missing)} migrations:"
            " run python -m services.dispatcher migrate"
        )


def _courier(
    settings: DispatcherSettings,
    pool: Pool,
    clock: Clock,
    provider: Provider,
    greetings: Greetings,
) -> Courier:
    return Courier(
        pool=pool,
        clock=clock,
        provider=provider,
        guard=Guard(
            provider.traits.name,
            threshold=settings.breaker_failures,
            reset_after_s=settings.breaker_pause_s,
        ),
        greetings=greetings,
        lease_s=settings.lease_s,
        rate=_rate(settings),
    )


def _rate(settings: DispatcherSettings) -> Rate | None:
    if not settings.provider_rate:
        return None
    return Rate(
        settings.provider_rate, settings.provider_burst or math.ceil(settings.provider_rate)
    )
