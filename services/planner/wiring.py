"""Builds the planner's process: the only place that opens its pool and its broker."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from litestar import Litestar

from contracts import topology
from contracts.kinds import KINDS
from libs.broker.connection import Broker, open_broker
from libs.broker.consumers import Consumers, Subscription
from libs.clock import Clock, open_clock, parse_clock
from libs.eventstore.feed_reader import FeedAwayError, FeedRefusedError, open_feed
from libs.eventstore.rebuilding import Progress
from libs.httpapi.auth import ApiKeys, load_api_keys
from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.httpapi.serve import HttpServer
from libs.localtime import TZDATA_VERSION
from libs.outbox import Relay
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.runtime.checks import broker_check, database_check
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.process import StartupError
from libs.runtime.stopping import current_stopping
from services.planner.adapters.zone_data import OtherZoneDataError
from services.planner.app.adopting import (
    UnknownZonesError,
    adopt_release,
    begin_with_zone_data,
    compare_releases,
    preview_adoption,
)
from services.planner.app.rebuilding import People, rebuild_people
from services.planner.domain.room import Room
from services.planner.entrypoints import checks
from services.planner.entrypoints.api import create_api, create_silent_api
from services.planner.entrypoints.audit_loop import Auditing
from services.planner.entrypoints.batches import DEAD, dead_letter_handler
from services.planner.entrypoints.consumers import (
    blocks_handler,
    outcome_handler,
    people_handler,
    recipient_reader,
)
from services.planner.entrypoints.hold_loops import Following
from services.planner.entrypoints.loops import Planning, Reconciling, Releasing, Upkeep
from services.planner.entrypoints.relay_loops import relay_loop, relay_upkeep_loop
from services.planner.entrypoints.tzdata_command import Wanted, adoption_lines, comparison_lines
from services.planner.entrypoints.zone_data import (
    OTHER_ZONE_DATA,
    ZoneDataWatch,
    zone_data_check,
)
from services.planner.settings import PlannerSettings

logger = logging.getLogger(__name__)

ERROR_PAUSE_MAX_S = 5.0
"""Releases go on this soon after the broker is back."""
NAME = "planner"
ROLES = ("api", "project", "plan", "release", "outcomes", "reconcile", "relay", "upkeep")
MIGRATIONS = (
    "libs.outbox.migrations",
    "libs.httpapi.rates.migrations",
    "libs.httpapi.answers.migrations",
    "services.planner.migrations",
)
COMMAND_TIMEOUT_S = 600.0
"""A command may read a whole table."""
STATEMENT_TIMEOUT_S = 30.0
"""The relay closes a gap in the outbox only after longer than any statement may last."""
PLANNING = {"plan_cache_mode": "force_custom_plan"}
"""Statements name the days and buckets they read; only a plan that knows them leaves the other
partitions out from the start."""


@dataclass(frozen=True)
class Resources:
    """What is open for as long as the process runs."""

    pool: Pool
    clock: Clock
    broker: Broker


async def migrate(settings: PlannerSettings) -> None:
    """Apply what the database lacks."""
    applied = await migrations.migrate(settings.database_url, *MIGRATIONS)
    logger.info("migrations.applied", extra={"count": len(applied)})


async def change_zone_data(settings: PlannerSettings, wanted: Wanted) -> Iterator[str]:
    """Adopt the zone data of this process, or say what that moves; return the report's lines.

    Raises:
        StartupError: the database lacks migrations, or people live in zones that are unknown here.
    """
    async with (
        open_pool(
            settings.database_url, name=NAME, size=1, statement_timeout_s=COMMAND_TIMEOUT_S
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
    ):
        await _refuse_old_tables(pool)
        now = clock.now()
        if wanted.former is not None:
            comparison = await compare_releases(
                pool, wanted.former, KINDS, first=wanted.first, last=wanted.last, now=now
            )
            return comparison_lines(comparison, wanted.former)
        try:
            if wanted.action == "preview":
                return adoption_lines(await preview_adoption(pool, KINDS), is_done=False)
            return adoption_lines(await adopt_release(pool, KINDS, now=now), is_done=True)
        except UnknownZonesError as error:
            raise StartupError(str(error)) from error


async def rebuild(settings: PlannerSettings, tell: Callable[[Progress], None]) -> None:
    """Rebuild what the planner knows of people from the user service's events; it may be at work.

    Raises:
        StartupError: the database lacks migrations, or the events cannot be read.
    """
    if settings.user_url is None or settings.user_api_key is None:
        raise StartupError("set PLANNER_USER_URL and PLANNER_USER_API_KEY: a rebuild reads events")
    async with (
        open_pool(
            settings.database_url,
            name=NAME,
            size=2,
            statement_timeout_s=COMMAND_TIMEOUT_S,
            settings=PLANNING,
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
        open_feed(settings.user_url, settings.user_api_key) as feed,
    ):
        await _refuse_old_tables(pool)
        await _refuse_other_zone_data(pool, clock)
        people = People(KINDS, clock, recipient_reader(KINDS))
        try:
            await rebuild_people(pool, feed, people, tell=tell)
        except (FeedAwayError, FeedRefusedError) as error:
            raise StartupError(f"{error}; run it again to go on") from error


async def run(settings: PlannerSettings, roles: frozenset[str]) -> None:
    """Run ``roles`` in this process until it is told to stop.

    Raises:
        StartupError: the database lacks migrations, a setting cannot be used, or the plan is, or
            has come to be, made by another release of the zone data.
    """
    parse_clock(settings.jubilee_clock, env=settings.jubilee_env)  # before waiting for servers
    auth = load_api_keys(
        settings.api_keys_file, env=settings.jubilee_env, variable="PLANNER_API_KEYS_FILE"
    )
    async with _opened(settings) as resources:
        loops = _loops(settings, roles, resources)
        health = _health(settings, roles, resources, loops)
        server = HttpServer(
            _app(settings, roles, resources, auth=auth, health=health),
            settings.http_host,
            settings.http_port,
            drain_timeout_s=settings.drain_timeout_s,
        )
        server.bind()
        consumers = Consumers(resources.broker, _subscriptions(settings, roles, resources))
        logger.info("process.started", extra={"roles": sorted(roles), "http_port": server.port})
        await supervise(loops, [server, consumers], drain_timeout_s=settings.drain_timeout_s)
        if current_stopping().reason == OTHER_ZONE_DATA:
            await _refuse_other_zone_data(resources.pool, resources.clock)


@asynccontextmanager
async def _opened(settings: PlannerSettings) -> AsyncIterator[Resources]:
    async with (
        open_pool(
            settings.database_url,
            name=NAME,
            size=settings.pool_size,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            settings=PLANNING,
        ) as pool,
        open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
    ):
        await _refuse_old_tables(pool)
        await _refuse_other_zone_data(pool, clock)
        async with open_broker(settings.broker_url, name=NAME, unheard=topology.UNHEARD) as broker:
            await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
            yield Resources(pool, clock, broker)


def _loops(settings: PlannerSettings, roles: frozenset[str], resources: Resources) -> list[Loop]:
    pool, clock, publisher = resources.pool, resources.clock, resources.broker.publisher
    ask_after = timedelta(seconds=settings.reconcile_after_s)
    watch = ZoneDataWatch(pool, current_stopping())
    loops: list[Loop] = [Loop("zone_data_watch", watch.step)]
    if "upkeep" in roles:
        upkeep = Upkeep(pool, clock, KINDS, retention_days=settings.retention_days)
        loops.append(Loop("upkeep", upkeep.step))
        loops.append(Loop("audit", Auditing(pool, clock, KINDS).step))
    if "plan" in roles:
        planning = Planning(
            pool,
            clock,
            KINDS,
            horizon_days=settings.horizon_days,
            slice_size=settings.slice_size,
        )
        loops.append(Loop("plan", planning.step))
    if "release" in roles:
        releasing = Releasing(
            pool,
            publisher,
            clock,
            KINDS,
            batch_size=settings.release_batch_size,
            room=Room(settings.in_flight_limit),
            pause_max_s=settings.release_pause_max_s,
            ask_after=ask_after,
        )
        lanes = range(1, settings.release_lanes + 1)
        loops += [
            Loop(f"release-{lane}", releasing.step, error_pause_max_s=ERROR_PAUSE_MAX_S)
            for lane in lanes
        ]
        loops.append(Loop("holds", Following(pool, clock).step))
    if "reconcile" in roles:
        reconciling = Reconciling(
            pool,
            publisher,
            clock,
            batch_size=settings.reconcile_batch_size,
            ask_after=ask_after,
        )
        loops.append(Loop("reconcile", reconciling.step))
    if "relay" in roles:
        loops += _relay_loops(settings, resources)
    return loops


def _relay_loops(settings: PlannerSettings, resources: Resources) -> list[Loop]:
    relay = Relay(
        resources.pool,
        resources.broker.publisher,
        name=NAME,
        batch_rows=settings.relay_batch_rows,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
    )
    return [
        relay_loop(relay, pause_s=settings.relay_pause_s),
        relay_upkeep_loop(resources.pool, relay, pause_s=settings.outbox_upkeep_pause_s),
    ]


def _subscriptions(
    settings: PlannerSettings, roles: frozenset[str], resources: Resources
) -> list[Subscription]:
    pool, clock = resources.pool, resources.clock
    people = Subscription(
        topology.PLANNER_USERS.name,
        people_handler(pool, clock, KINDS),
        settings.project_prefetch,
    )
    answers = Subscription(
        topology.PLANNER_OUTCOMES.name,
        outcome_handler(pool, clock, KINDS),
        settings.outcomes_prefetch,
    )
    blocks = Subscription(
        topology.PLANNER_BLOCKS.name, blocks_handler(pool), settings.project_prefetch
    )
    work = (("project", people), ("project", blocks), ("outcomes", answers))
    taken = [subscription for role, subscription in work if role in roles]
    dead = [Subscription(f"{one.queue}{DEAD}", dead_letter_handler(pool), 1) for one in taken]
    return taken + dead


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


def _app(
    settings: PlannerSettings,
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
        kinds=KINDS,
        auth=auth,
        health=health,
        edge=_edge(settings, resources.pool),
        zone_releases=settings.zone_releases,
    )


def _edge(settings: PlannerSettings, pool: Pool) -> Edge:
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


async def _refuse_other_zone_data(pool: Pool, clock: Clock) -> None:
    adopted = await begin_with_zone_data(pool, now=clock.now())
    if adopted is not None and adopted.release != TZDATA_VERSION:
        raise StartupError(str(OtherZoneDataError(adopted.release)))


async def _refuse_old_tables(pool: Pool) -> None:
    async with pool.acquire() as connection:
        missing = await migrations.pending(connection, *MIGRATIONS)
    if missing:
        raise StartupError(
            f"the database lacks {len(missing)} migrations: run python -m services.planner migrate"
        )
