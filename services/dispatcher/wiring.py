"""Builds the dispatcher's process: the only place that opens its pool, broker and provider."""

import logging
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeAlias

from litestar import Litestar

from contracts import topology
from contracts.kinds import KINDS
from libs.broker.connection import Broker, open_broker
from libs.broker.consumers import Consumers, Subscription
from libs.clock import Clock, open_clock, parse_clock
from libs.eventstore import rebuilding
from libs.eventstore.feed_reader import FeedAwayError, FeedRefusedError, open_feed
from libs.eventstore.rebuilding import Progress
from libs.httpapi.auth import ApiKeys, load_api_keys
from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.httpapi.serve import HttpServer
from libs.outbox import Relay
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.resilience import Guard
from libs.runtime.checks import broker_check, database_check
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.process import StartupError
from libs.runtime.stopping import current_stopping
from services.dispatcher.adapters.dkim import DkimKeyError, DkimSigner, read_dkim_key
from services.dispatcher.adapters.mime import MimeWriter, Sender
from services.dispatcher.adapters.permits import Rate
from services.dispatcher.adapters.providers.file import FileProvider
from services.dispatcher.adapters.providers.http_connections import (
    HttpTarget,
    HttpUrlError,
    read_http_url,
)
from services.dispatcher.adapters.providers.postmark import PostmarkProvider
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import SmtpUrlError, read_smtp_url
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.keep_partitions import keep_partitions
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.app.rebuilding import Contacts
from services.dispatcher.domain.address import UnusableAddressError, mailbox
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.unsubscribing import UnsubscribeLinks
from services.dispatcher.entrypoints import checks, consumers, loops
from services.dispatcher.entrypoints.api import create_api, create_silent_api
from services.dispatcher.settings import DispatcherSettings, unsubscribe_keys

logger = logging.getLogger(__name__)

NAME = "dispatcher"
ROLES = ("api", "contacts", "deliver", "settle", "relay", "upkeep")
MIGRATIONS = (
    "libs.outbox.migrations",
    "libs.httpapi.rates.migrations",
    "libs.httpapi.answers.migrations",
    "services.dispatcher.migrations",
)
STATEMENT_TIMEOUT_S = 30.0
COMMAND_TIMEOUT_S = 600.0
"""A command may read a whole table."""

PLANNING = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
"""Every statement is planned once, and by its indexes. Planning over two months of partitions costs
more than running, and a plan made while a day's partition was still empty would read all of it
again for every request of that day's herd."""

NEEDS_PROVIDER = frozenset({"deliver", "settle"})
WRITE_MAILS = frozenset({"deliver", "api"})

ProviderFactory: TypeAlias = Callable[[DispatcherSettings], Provider]
"""Makes the provider; must run inside the event loop."""


@dataclass(frozen=True)
class Resources:
    """What is open for as long as the process runs. There is a courier where a role delivers."""

    pool: Pool
    clock: Clock
    broker: Broker
    greetings: Greetings
    writer: MimeWriter
    courier: Courier | None


async def migrate(settings: DispatcherSettings) -> None:
    """Apply what the database lacks."""
    applied = await migrations.migrate(settings.database_url, *MIGRATIONS)
    logger.info("migrations.applied", extra={"count": len(applied)})


def make_provider(settings: DispatcherSettings) -> Provider:
    """Return the provider that the settings name.

    Raises:
        StartupError: its URL is missing or cannot be read.
    """
    sender = _sender(settings)
    url, timeout_s = _provider_url(settings), settings.provider_timeout_s
    match settings.provider:
        case "smtp":
            return _smtp_provider(settings, url, sender)
        case "vendor":
            return VendorProvider(
                _http_target(url),
                connections=settings.provider_connections,
                timeout_s=timeout_s,
                keys_live_s=settings.provider_keys_live_s,
            )
        case "postmark":
            return PostmarkProvider(
                url,
                token=settings.provider_token,
                sender=sender,
                connections=settings.provider_connections,
                timeout_s=timeout_s,
                lookup_delay_s=settings.lookup_delay_s,
            )
        case "file":
            return FileProvider(Path(url.removeprefix("file://")), timeout_s=timeout_s)


def _http_target(url: str) -> HttpTarget:
    try:
        return read_http_url(url)
    except HttpUrlError as error:
        raise StartupError(f"DISPATCHER_PROVIDER_URL: {error}") from error


def _provider_url(settings: DispatcherSettings) -> str:
    if settings.provider_url is None:
        raise StartupError("DISPATCHER_PROVIDER_URL is not set: say where mail goes out")
    return settings.provider_url


async def rebuild(settings: DispatcherSettings, tell: Callable[[Progress], None]) -> None:
    """Rebuild the contacts from the user service's events; the dispatcher may be at work.

    Raises:
        StartupError: the database lacks migrations, or the events cannot be read.
    """
    if settings.user_url is None or settings.user_api_key is None:
        raise StartupError(
            "set DISPATCHER_USER_URL and DISPATCHER_USER_API_KEY: a rebuild reads events"
        )
    async with (
        open_pool(
            settings.database_url, name=NAME, size=2, statement_timeout_s=COMMAND_TIMEOUT_S
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
        open_feed(settings.user_url, settings.user_api_key) as feed,
    ):
        await _refuse_pending(pool)
        try:
            await rebuilding.rebuild(pool, feed, Contacts(clock), tell=tell)
        except (FeedAwayError, FeedRefusedError) as error:
            raise StartupError(f"{error}; run it again to go on") from error


async def run(
    settings: DispatcherSettings,
    roles: frozenset[str],
    *,
    provider_factory: ProviderFactory = make_provider,
) -> None:
    """Run ``roles`` in this process until it is told to stop.

    Raises:
        StartupError: the database lacks migrations, or a setting cannot be used.
    """
    parse_clock(settings.jubilee_clock, env=settings.jubilee_env)  # before waiting for servers
    auth = load_api_keys(
        settings.api_keys_file, env=settings.jubilee_env, variable="DISPATCHER_API_KEYS_FILE"
    )
    if roles & NEEDS_PROVIDER and provider_factory is make_provider:
        _provider_url(settings)
    async with _opened(settings, roles, provider_factory) as resources:
        health = Health(current_stopping())
        parts = _loops(settings, roles, resources)
        _add_checks(health, settings, roles, resources, parts)
        app = _app(settings, roles, resources, auth=auth, health=health)
        server = HttpServer(app, settings.http_host, settings.http_port)
        server.bind()
        consuming = Consumers(resources.broker, _subscriptions(settings, roles, resources))
        logger.info("process.started", extra={"roles": sorted(roles), "http_port": server.port})
        await supervise(parts, [server, consuming], drain_timeout_s=settings.drain_timeout_s)


@asynccontextmanager
async def _opened(
    settings: DispatcherSettings, roles: frozenset[str], provider_factory: ProviderFactory
) -> AsyncIterator[Resources]:
    sender = _sender(settings)
    greetings = Greetings(
        KINDS, message_domain=sender.mailbox.rpartition("@")[2], links=_links(settings)
    )
    signer = _signer(settings, sender)
    if signer is not None:
        logger.info("dkim.signing", extra={"record_at": signer.name, "record": signer.record})
    writer = MimeWriter(sender, signer)
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
        await _refuse_pending(pool)
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


def _subscriptions(
    settings: DispatcherSettings, roles: frozenset[str], resources: Resources
) -> list[Subscription]:
    pool, clock = resources.pool, resources.clock
    subscriptions: list[Subscription] = []
    if "contacts" in roles:
        handler = consumers.contact_handler(pool, clock)
        subscriptions.append(
            Subscription(topology.DISPATCHER_USERS.name, handler, settings.prefetch)
        )
        subscriptions.append(
            Subscription(
                topology.DISPATCHER_PAUSES.name,
                consumers.hold_handler(pool, clock),
                settings.prefetch,
            )
        )
    if "deliver" in roles and resources.courier is not None:
        stopping = current_stopping()
        handler = consumers.request_handler(
            resources.courier,
            gate_wait_s=settings.gate_wait_s,
            is_draining=lambda: stopping.is_set,
        )
        subscriptions.append(
            Subscription(topology.DISPATCHER_REQUESTS.name, handler, settings.prefetch)
        )
    if "upkeep" in roles:
        keep = consumers.dead_letter_handler(pool, clock)
        subscriptions += [
            Subscription(topology.dead_queue(queue.name).name, keep, 1)
            for queue in (
                topology.DISPATCHER_USERS,
                topology.DISPATCHER_PAUSES,
                topology.DISPATCHER_REQUESTS,
            )
        ]
    return subscriptions


def _loops(settings: DispatcherSettings, roles: frozenset[str], resources: Resources) -> list[Loop]:
    pool = resources.pool
    parts: list[Loop] = []
    if "settle" in roles and resources.courier is not None:
        parts.append(loops.settle_loop(resources.courier, pause_s=settings.settle_every_s))
    if "relay" in roles:
        relay = Relay(
            pool,
            resources.broker.publisher,
            name=NAME,
            batch_rows=settings.relay_batch_rows,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            kept=timedelta(days=settings.retention_days),
        )
        parts.append(loops.relay_loop(relay, pause_s=settings.relay_pause_s))
        parts.append(loops.relay_upkeep_loop(pool, relay, pause_s=settings.upkeep_pause_s))
    if roles & WRITE_MAILS:
        parts.append(loops.texts_loop(pool, resources.greetings, pause_s=settings.texts_pause_s))
    if "upkeep" in roles:
        parts.append(loops.upkeep_loop(pool, resources.clock, pause_s=settings.upkeep_pause_s))
        if settings.reports_mailbox:
            parts.append(
                loops.mailbox_loop(
                    pool,
                    resources.clock,
                    Path(settings.reports_mailbox),
                    pause_s=settings.reports_pause_s,
                )
            )
    return parts


def _add_checks(
    health: Health,
    settings: DispatcherSettings,
    roles: frozenset[str],
    resources: Resources,
    parts: list[Loop],
) -> None:
    health.add("database", database_check(resources.pool))
    health.add("broker", broker_check(resources.broker))
    health.add("partitions", checks.partitions_check(resources.pool, resources.clock))
    if "relay" in roles:
        health.add(
            "outbox", checks.outbox_check(resources.pool, longest_s=settings.outbox_age_max_s)
        )
    for loop in parts:
        health.add(loop.name, loop.check)


def _app(
    settings: DispatcherSettings,
    roles: frozenset[str],
    resources: Resources,
    *,
    auth: ApiKeys,
    health: Health,
) -> Litestar:
    if "api" not in roles:
        return create_silent_api(auth=auth, health=health)
    return create_api(
        pool=resources.pool,
        clock=resources.clock,
        publisher=resources.broker.publisher,
        greetings=resources.greetings,
        writer=resources.writer,
        report_secret=settings.reports_secret,
        auth=auth,
        health=health,
        edge=_edge(settings, resources.pool),
    )


def _edge(settings: DispatcherSettings, pool: Pool) -> Edge:
    return open_edge(
        pool,
        EdgeSettings(
            prefix=NAME.upper(),
            rate_per_s=settings.rate_per_s,
            rate_burst=settings.rate_burst,
            trusted_proxies=settings.trusted_proxies,
            jwt_issuer=settings.jwt_issuer,
            jwt_audience=settings.jwt_audience,
            jwt_jwks=settings.jwt_jwks,
        ),
        are_answers_kept=True,
    )


async def _refuse_pending(pool: Pool) -> None:
    async with pool.acquire() as connection:
        missing = await migrations.pending(connection, *MIGRATIONS)
    if missing:
        raise StartupError(
            f"the database lacks {len(missing)} migrations:"
            " run python -m services.dispatcher migrate"
        )


def _sender(settings: DispatcherSettings) -> Sender:
    try:
        return Sender(mailbox(settings.sender_address), settings.sender_name)
    except UnusableAddressError as error:
        raise StartupError(f"DISPATCHER_SENDER_ADDRESS: {error}") from error


def _links(settings: DispatcherSettings) -> UnsubscribeLinks | None:
    if settings.unsubscribe_url is None:
        return None
    keys = [key.encode() for key in unsubscribe_keys(settings.unsubscribe_keys)]
    return UnsubscribeLinks(settings.unsubscribe_url, keys)


def _signer(settings: DispatcherSettings, sender: Sender) -> DkimSigner | None:
    """Return the signer; its domain must be the sender's or one above it, else it proves nothing.

    Raises:
        StartupError: it is another domain, or the key cannot be used.
    """
    domain, selector, path = (
        settings.dkim_domain, settings.dkim_selector, settings.dkim_key_file
    )  # fmt: skip
    if domain is None or selector is None or path is None:
        return None
    sending = sender.mailbox.rpartition("@")[2].lower()
    if not f".{sending}".endswith(f".{domain.lower()}"):
        raise StartupError(f"DISPATCHER_DKIM_DOMAIN must be {sending} or a domain above it")
    try:
        return DkimSigner(read_dkim_key(Path(path)), domain=domain, selector=selector)
    except DkimKeyError as error:
        raise StartupError(f"DISPATCHER_DKIM_KEY_FILE: {error}") from error


def _smtp_provider(settings: DispatcherSettings, url: str, sender: Sender) -> SmtpProvider:
    try:
        return SmtpProvider(
            read_smtp_url(url),
            sender=sender,
            timeout_s=settings.provider_timeout_s,
            lookup_delay_s=settings.lookup_delay_s,
            signer=_signer(settings, sender),
        )
    except SmtpUrlError as error:
        raise StartupError(f"DISPATCHER_PROVIDER_URL: {error}") from error
