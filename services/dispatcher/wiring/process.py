"""A dispatcher process: loops, consumers and HTTP server, together until told to stop."""

import logging

from libs.broker.consumers import Consumers
from libs.clock import parse_clock
from libs.httpapi.keys import ApiKeys, load_api_keys
from libs.httpapi.operations import Serve, operations_alone
from libs.httpapi.serve import HttpServer
from libs.runtime.checks import broker_check, database_check
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.stopping import current_stopping
from services.dispatcher.entrypoints import checks
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.mail import ProviderFactory, make_provider, provider_url
from services.dispatcher.wiring.resources import NEEDS_PROVIDER, Resources, open_resources
from services.dispatcher.wiring.work import make_loops, make_subscriptions

logger = logging.getLogger(__name__)

ROLES = ("api", "contacts", "deliver", "settle", "relay", "upkeep")


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
    auth = _api_keys(settings) if "api" in roles else None
    if roles & NEEDS_PROVIDER and provider_factory is make_provider:
        provider_url(settings)
    async with open_resources(settings, roles, provider_factory) as resources:
        loops = make_loops(settings, roles, resources)
        health = _health(settings, roles, resources, loops)
        app = _app(settings, resources, auth=auth, health=health)
        server = HttpServer(app, settings.http_host, settings.http_port)
        server.bind()
        consuming = Consumers(resources.broker, make_subscriptions(settings, roles, resources))
        logger.info("process.started", extra={"roles": sorted(roles), "http_port": server.port})
        await supervise(loops, [server, consuming], drain_timeout_s=settings.drain_timeout_s)


def _health(
    settings: DispatcherSettings, roles: frozenset[str], resources: Resources, loops: list[Loop]
) -> Health:
    health = Health(current_stopping())
    health.add("database", database_check(resources.pool))
    health.add("broker", broker_check(resources.broker))
    health.add("partitions", checks.partitions_check(resources.pool, resources.clock))
    if "relay" in roles:
        health.add(
            "outbox", checks.outbox_check(resources.pool, longest_s=settings.outbox_age_max_s)
        )
    for loop in loops:
        health.add(loop.name, loop.check)
    return health


def _api_keys(settings: DispatcherSettings) -> ApiKeys:
    return load_api_keys(
        settings.api_keys_file, env=settings.jubilee_env, variable="DISPATCHER_API_KEYS_FILE"
    )


def _app(
    settings: DispatcherSettings, resources: Resources, *, auth: ApiKeys | None, health: Health
) -> Serve:
    if auth is None:
        return operations_alone(health)
    # Only who serves an API holds the 20 MiB that it imports.
    from services.dispatcher.wiring.serving import make_api  # noqa: PLC0415

    return make_api(settings, resources, auth=auth, health=health)
