"""A planner process: its loops, its consumers and its HTTP server, together until told to stop."""

import logging

from contracts.kinds import KINDS
from libs.broker.consumers import Consumers
from libs.clock import parse_clock
from libs.httpapi.keys import ApiKeys, load_api_keys
from libs.httpapi.operations import Serve, operations_alone
from libs.httpapi.serve import HttpServer
from libs.runtime.checks import broker_check, database_check
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.stopping import current_stopping
from services.planner.entrypoints import checks
from services.planner.entrypoints.zone_data import OTHER_ZONE_DATA, zone_data_check
from services.planner.settings import PlannerSettings
from services.planner.wiring.resources import Resources, open_resources, refuse_other_zone_data
from services.planner.wiring.work import make_loops, make_subscriptions

logger = logging.getLogger(__name__)

ROLES = ("api", "project", "plan", "release", "outcomes", "reconcile", "relay", "upkeep")


async def run(settings: PlannerSettings, roles: frozenset[str]) -> None:
    """Run ``roles`` in this process until it is told to stop.

    Raises:
        StartupError: the database lacks migrations, a setting cannot be used, or the plan is, or
            has come to be, made by another release of the zone data.
    """
    parse_clock(settings.jubilee_clock, env=settings.jubilee_env)  # before waiting for servers
    auth = _api_keys(settings) if "api" in roles else None
    async with open_resources(settings) as resources:
        loops = make_loops(settings, roles, resources)
        health = _health(settings, roles, resources, loops)
        server = HttpServer(
            _app(settings, resources, auth=auth, health=health),
            settings.http_host,
            settings.http_port,
            drain_timeout_s=settings.drain_timeout_s,
        )
        server.bind()
        consumers = Consumers(resources.broker, make_subscriptions(settings, roles, resources))
        logger.info("process.started", extra={"roles": sorted(roles), "http_port": server.port})
        await supervise(loops, [server, consumers], drain_timeout_s=settings.drain_timeout_s)
        if current_stopping().reason == OTHER_ZONE_DATA:
            await refuse_other_zone_data(resources.pool, resources.clock)


def _health(
    settings: PlannerSettings, roles: frozenset[str], resources: Resources, loops: list[Loop]
) -> Health:
    pool, clock = resources.pool, resources.clock
    health = Health(current_stopping())
    health.add("database", database_check(pool))
    health.add("broker", broker_check(resources.broker))
    health.add("zone_data", zone_data_check(pool))
    health.add("partitions", checks.partitions_check(pool, clock))
    health.add("horizon", checks.horizon_check(pool, clock, KINDS.values()))
    if "relay" in roles:
        health.add("outbox", checks.outbox_check(pool, longest_s=settings.outbox_age_max_s))
    for loop in loops:
        health.add(loop.name, loop.check)
    return health


def _api_keys(settings: PlannerSettings) -> ApiKeys:
    return load_api_keys(
        settings.api_keys_file, env=settings.jubilee_env, variable="PLANNER_API_KEYS_FILE"
    )


def _app(
    settings: PlannerSettings, resources: Resources, *, auth: ApiKeys | None, health: Health
) -> Serve:
    if auth is None:
        return operations_alone(health)
    # Only who serves an API holds the 20 MiB that it imports.
    from services.planner.wiring.serving import make_api  # noqa: PLC0415

    return make_api(settings, resources, auth=auth, health=health)
