"""What the roles do: the loops that they run and the queues that they read."""

from collections.abc import Callable, Mapping
from datetime import timedelta

from contracts import topology
from contracts.kinds import KINDS
from libs.broker.consumers import Subscription
from libs.outbox import Relay
from libs.runtime.loops import Loop
from libs.runtime.stopping import current_stopping
from services.planner.domain.room import Room
from services.planner.entrypoints.audit_loop import Auditing
from services.planner.entrypoints.batches import DEAD, dead_letter_handler
from services.planner.entrypoints.consumers import blocks_handler, outcome_handler, people_handler
from services.planner.entrypoints.hold_loops import Following
from services.planner.entrypoints.loops import Planning, Reconciling, Releasing, Upkeep
from services.planner.entrypoints.relay_loops import relay_loop, relay_upkeep_loop
from services.planner.entrypoints.zone_data import ZoneDataWatch
from services.planner.settings import PlannerSettings
from services.planner.wiring.resources import NAME, STATEMENT_TIMEOUT_S, Resources

ERROR_PAUSE_MAX_S = 5.0
"""Releases go on this soon after the broker is back."""


def make_loops(
    settings: PlannerSettings, roles: frozenset[str], resources: Resources
) -> list[Loop]:
    """Return the loops of ``roles``, and the watch that every process keeps."""
    watch = ZoneDataWatch(resources.pool, current_stopping())
    loops = [Loop("zone_data_watch", watch.step)]
    for role, make in _LOOPS.items():
        if role in roles:
            loops += make(settings, resources)
    return loops


def _upkeep_loops(settings: PlannerSettings, resources: Resources) -> list[Loop]:
    pool, clock = resources.pool, resources.clock
    upkeep = Upkeep(pool, clock, KINDS, retention_days=settings.retention_days)
    return [Loop("upkeep", upkeep.step), Loop("audit", Auditing(pool, clock, KINDS).step)]


def _plan_loops(settings: PlannerSettings, resources: Resources) -> list[Loop]:
    planning = Planning(
        resources.pool,
        resources.clock,
        KINDS,
        horizon_days=settings.horizon_days,
        slice_size=settings.slice_size,
    )
    return [Loop("plan", planning.step)]


def _release_loops(settings: PlannerSettings, resources: Resources) -> list[Loop]:
    pool, clock = resources.pool, resources.clock
    releasing = Releasing(
        pool,
        resources.broker.publisher,
        clock,
        KINDS,
        batch_size=settings.release_batch_size,
        room=Room(settings.in_flight_limit),
        pause_max_s=settings.release_pause_max_s,
        ask_after=timedelta(seconds=settings.reconcile_after_s),
    )
    lanes = [
        Loop(f"release-{lane}", releasing.step, error_pause_max_s=ERROR_PAUSE_MAX_S)
        for lane in range(1, settings.release_lanes + 1)
    ]
    return [*lanes, Loop("holds", Following(pool, clock).step)]


def _reconcile_loops(settings: PlannerSettings, resources: Resources) -> list[Loop]:
    reconciling = Reconciling(
        resources.pool,
        resources.broker.publisher,
        resources.clock,
        batch_size=settings.reconcile_batch_size,
        ask_after=timedelta(seconds=settings.reconcile_after_s),
    )
    return [Loop("reconcile", reconciling.step)]


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


_LOOPS: Mapping[str, Callable[[PlannerSettings, Resources], list[Loop]]] = {
    "upkeep": _upkeep_loops,
    "plan": _plan_loops,
    "release": _release_loops,
    "reconcile": _reconcile_loops,
    "relay": _relay_loops,
}


def make_subscriptions(
    settings: PlannerSettings, roles: frozenset[str], resources: Resources
) -> list[Subscription]:
    """Return the queues that ``roles`` read, each with the one of what was given up there."""
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
