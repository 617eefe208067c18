"""What the roles do: the loops that they run and the queues that they read."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

from contracts import topology
from libs.broker.consumers import Subscription
from libs.outbox import Relay
from libs.runtime.loops import Loop
from libs.runtime.stopping import current_stopping
from services.dispatcher.entrypoints import consumers, loops
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.resources import NAME, STATEMENT_TIMEOUT_S, Resources

WRITE_MAILS = frozenset({"deliver", "api"})


def make_loops(
    settings: DispatcherSettings, roles: frozenset[str], resources: Resources
) -> list[Loop]:
    """Return the loops of ``roles``; who writes mails also follows the texts in use."""
    made: list[Loop] = []
    for role, make in _LOOPS.items():
        if role in roles:
            made += make(settings, resources)
    if roles & WRITE_MAILS:
        pool, pause_s = resources.pool, settings.texts_pause_s
        made.append(loops.texts_loop(pool, resources.greetings, pause_s=pause_s))
    return made


def _settle_loops(settings: DispatcherSettings, resources: Resources) -> list[Loop]:
    if resources.courier is None:
        return []
    return [loops.settle_loop(resources.courier, pause_s=settings.settle_every_s)]


def _relay_loops(settings: DispatcherSettings, resources: Resources) -> list[Loop]:
    relay = Relay(
        resources.pool,
        resources.broker.publisher,
        name=NAME,
        batch_rows=settings.relay_batch_rows,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        kept=timedelta(days=settings.retention_days),
    )
    return [
        loops.relay_loop(relay, pause_s=settings.relay_pause_s),
        loops.relay_upkeep_loop(resources.pool, relay, pause_s=settings.upkeep_pause_s),
    ]


def _upkeep_loops(settings: DispatcherSettings, resources: Resources) -> list[Loop]:
    pool, clock = resources.pool, resources.clock
    made = [loops.upkeep_loop(pool, clock, pause_s=settings.upkeep_pause_s)]
    if settings.reports_mailbox:
        mailbox = Path(settings.reports_mailbox)
        made.append(loops.mailbox_loop(pool, clock, mailbox, pause_s=settings.reports_pause_s))
    return made


_LOOPS: Mapping[str, Callable[[DispatcherSettings, Resources], list[Loop]]] = {
    "settle": _settle_loops,
    "relay": _relay_loops,
    "upkeep": _upkeep_loops,
}


def make_subscriptions(
    settings: DispatcherSettings, roles: frozenset[str], resources: Resources
) -> list[Subscription]:
    """Return the queues that ``roles`` read."""
    made: list[Subscription] = []
    for role, make in _SUBSCRIPTIONS.items():
        if role in roles:
            made += make(settings, resources)
    return made


def _contact_subscriptions(
    settings: DispatcherSettings, resources: Resources
) -> list[Subscription]:
    pool, clock, prefetch = resources.pool, resources.clock, settings.prefetch
    people, holds = consumers.contact_handler(pool, clock), consumers.hold_handler(pool, clock)
    return [
        Subscription(topology.DISPATCHER_USERS.name, people, prefetch),
        Subscription(topology.DISPATCHER_PAUSES.name, holds, prefetch),
    ]


def _request_subscriptions(
    settings: DispatcherSettings, resources: Resources
) -> list[Subscription]:
    if resources.courier is None:
        return []
    stopping = current_stopping()
    handler = consumers.request_handler(
        resources.courier,
        gate_wait_s=settings.gate_wait_s,
        is_draining=lambda: stopping.is_set,
    )
    return [Subscription(topology.DISPATCHER_REQUESTS.name, handler, settings.prefetch)]


def _dead_subscriptions(settings: DispatcherSettings, resources: Resources) -> list[Subscription]:
    del settings
    keep = consumers.dead_letter_handler(resources.pool, resources.clock)
    queues = (topology.DISPATCHER_USERS, topology.DISPATCHER_PAUSES, topology.DISPATCHER_REQUESTS)
    return [Subscription(topology.dead_queue(queue.name).name, keep, 1) for queue in queues]


_SUBSCRIPTIONS: Mapping[str, Callable[[DispatcherSettings, Resources], list[Subscription]]] = {
    "contacts": _contact_subscriptions,
    "deliver": _request_subscriptions,
    "upkeep": _dead_subscriptions,
}
