"""Deals with one message of a queue: as a batch, or item by item where a bad one is in it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import codec
from contracts.codec import MalformedError, UnknownTypeError
from contracts.envelope import Event
from libs.broker import Delivery, Handler
from libs.broker.outages import outlasting_outages
from libs.ids import new_id
from libs.postgres.types import Pool
from libs.resilience import repeating
from services.planner.adapters.errors import UnstorableError
from services.planner.adapters.metrics import SET_ASIDE
from services.planner.adapters.set_aside import SetAside
from services.planner.app.redriving import keep_aside

logger = logging.getLogger(__name__)

Deal = Callable[[Sequence[Event[Any]]], Awaitable[None]]
"""Deals with events of one type in one transaction; safe to repeat."""

HELD_S = 300.0
"""A message in hand waits this long for a database that is away, well within the broker's patience;
then it goes to the end of its queue."""

ITEM_BY_ITEM_FROM = 2
"""Redeliveries from which a message is taken apart: the first may be due to an outage or a restart,
and a batch taken whole costs a hundredth of its items one by one."""

DEAD = ".dead"


class UnusableError(ValueError):
    """An item's values mean nothing here; its text is the reason word."""


def batch_handler(pool: Pool, deal: Deal, *, held_s: float = HELD_S) -> Handler:
    """Return the handler that deals with every item of a message.

    An item that never can be dealt with is set aside with its reason; its neighbours go on. A
    message that comes for the third time is taken item by item at once: it may hold one that
    brings the process down, and every item that is done stays done. While the database is away
    a message waits ``held_s`` in hand, then at the end of its queue.
    """

    async def take(delivery: Delivery) -> None:
        if delivery.redeliveries < ITEM_BY_ITEM_FROM:
            try:
                await _deal(deal, delivery.type_name, delivery.body, held_s)
            except (MalformedError, UnknownTypeError, UnusableError, UnstorableError) as error:
                facts = {"queue": delivery.queue, "cause": type(error).__name__}
                logger.warning("batch.taken_apart", extra=facts)
            else:
                return
        bad = [
            _aside(delivery, item, reason)
            for item in _items(delivery)
            if (reason := await _reason_against(deal, delivery.type_name, item, held_s))
        ]
        if bad:
            await keep_aside(pool, bad)
            SET_ASIDE.add(len(bad), queue=delivery.queue)

    return outlasting_outages(take, pool)


def dead_letter_handler(pool: Pool) -> Handler:
    """Return the handler that keeps what the broker gave up, for a person."""

    async def keep(delivery: Delivery) -> None:
        message = SetAside(
            id=new_id(),
            queue=delivery.queue.removesuffix(DEAD),
            type=delivery.type_name,
            reason=delivery.dead_reason or "rejected",
            body=delivery.body,
            items=max(len(_items(delivery)), 1),
        )
        await keep_aside(pool, [message])
        SET_ASIDE.add(queue=message.queue)

    return keep


async def _deal(deal: Deal, type_name: str, body: bytes, held_s: float) -> None:
    events = codec.decode(type_name, body)
    await repeating(lambda: deal(events), within_s=held_s)


async def _reason_against(deal: Deal, type_name: str, item: bytes, held_s: float) -> str | None:
    """Deal with one item; return why it never can be, None where it was."""
    try:
        await _deal(deal, type_name, item, held_s)
    except MalformedError:
        return "malformed"
    except UnknownTypeError:
        return "unknown_type"
    except UnusableError as error:
        return str(error)
    except UnstorableError:
        return "unstorable"
    return None


def _items(delivery: Delivery) -> list[bytes]:
    """Return the items as messages of their own; a body that is no batch is one bad item."""
    try:
        return codec.split(delivery.body)
    except MalformedError:
        return [delivery.body]


def _aside(delivery: Delivery, item: bytes, reason: str) -> SetAside:
    return SetAside(
        id=new_id(),
        queue=delivery.queue,
        type=delivery.type_name,
        reason=reason,
        body=item,
        items=1,
    )
