"""Exchanges, queues, bindings: their names and arguments, in one place.

Every process declares all of it at start, so that no event is published before the queues of its
known consumers exist. A foreign consumer binds a queue of its own to ``EVENTS``. Arguments of a
queue never change under its name: a change is a new name, ending in the next version.
"""

import msgspec

from contracts import dispatch, plan_events, report_events

EVENTS = "jubilee.events"
"""Topic exchange of all facts; the routing key is the event's type."""
COMMANDS = "jubilee.commands"
"""Topic exchange of requests; the routing key is the command's type."""
DEAD = "jubilee.dead"
"""Topic exchange of dead letters; the routing key is the name of the queue they come from."""

UNHEARD = frozenset(
    {plan_events.PLAN_DAY_CLOSED, report_events.MAIL_BOUNCED, report_events.MAIL_COMPLAINED}
)
"""Facts that none of our queues takes: published for whoever listens, be it nobody."""

DELIVERY_LIMIT = 20
"""Redeliveries before the broker gives a message up to the dead-letter queue."""
MAX_LENGTH = 1_000_000
"""Messages a queue holds before it refuses more; the publisher keeps them and tries again."""


class Exchange(msgspec.Struct, frozen=True):
    """A durable topic exchange."""

    name: str


class Queue(msgspec.Struct, frozen=True, kw_only=True):
    """A durable quorum queue bound to ``exchange`` by each of ``routing_keys``."""

    name: str
    exchange: str
    routing_keys: tuple[str, ...]
    arguments: dict[str, str | int]


def work_queue(name: str, *, exchange: str, routing_keys: tuple[str, ...]) -> Queue:
    """Return a queue whose given-up messages go to ``<name>.dead``, none lost on the way.

    At-least-once dead-lettering only holds together with ``reject-publish``.
    """
    return Queue(
        name=name,
        exchange=exchange,
        routing_keys=routing_keys,
        arguments={
            "x-queue-type": "quorum",
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-routing-key": name,
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
            "x-max-length": MAX_LENGTH,
        },
    )


def dead_queue(source: str) -> Queue:
    """Return the queue in which the dead letters of ``source`` wait for a person."""
    return Queue(
        name=f"{source}.dead",
        exchange=DEAD,
        routing_keys=(source,),
        arguments={"x-queue-type": "quorum", "x-delivery-limit": 1_000_000},
    )


PLANNER_USERS = work_queue("planner.users.v1", exchange=EVENTS, routing_keys=("user.*.v1",))
PLANNER_OUTCOMES = work_queue(
    "planner.outcomes.v1", exchange=EVENTS, routing_keys=("delivery.*.v1",)
)
DISPATCHER_USERS = work_queue("dispatcher.users.v1", exchange=EVENTS, routing_keys=("user.*.v1",))
PLANNER_BLOCKS = work_queue("planner.blocks.v1", exchange=EVENTS, routing_keys=("recipient.*.v1",))
DISPATCHER_PAUSES = work_queue(
    "dispatcher.pauses.v1",
    exchange=EVENTS,
    routing_keys=(plan_events.PLAN_PAUSED, plan_events.PLAN_RESUMED, plan_events.PLAN_CANCELLED),
)
DISPATCHER_REQUESTS = work_queue(
    "dispatcher.requests.v1", exchange=COMMANDS, routing_keys=(dispatch.DISPATCH_REQUESTED,)
)

EXCHANGES = (Exchange(EVENTS), Exchange(COMMANDS), Exchange(DEAD))
WORK_QUEUES = (
    PLANNER_USERS,
    PLANNER_OUTCOMES,
    PLANNER_BLOCKS,
    DISPATCHER_USERS,
    DISPATCHER_PAUSES,
    DISPATCHER_REQUESTS,
)
DEAD_QUEUES = tuple(dead_queue(queue.name) for queue in WORK_QUEUES)
