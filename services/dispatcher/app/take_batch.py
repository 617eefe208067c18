"""Deals with one message of a queue: as a batch, or item by item where that failed before."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from contracts import codec
from contracts.codec import MalformedError, UnknownTypeError
from contracts.envelope import Event
from services.dispatcher.adapters.refusals import RefusedValuesError

logger = logging.getLogger(__name__)

HELD_S = 300.0
"""A message in hand waits this long for a database that is away, well within the broker's patience;
then it goes to the end of its queue."""

ITEM_BY_ITEM_FROM = 2
"""Redeliveries from which a message is taken apart: the first may be due to an outage."""

Deal = Callable[[Sequence[Event[Any]]], Awaitable[None]]
"""Deals with events of one type; must be safe to repeat."""
PutAside = Callable[[bytes, str], Awaitable[None]]
"""Keeps a message of one item, with the reason, for a person."""


async def take_batch(
    type_name: str, body: bytes, *, redeliveries: int, deal: Deal, put_aside: PutAside
) -> None:
    """Deal with every item; put aside, with its reason, each that never can be dealt with.

    One bad item never keeps its neighbours back. A batch that comes for the third time may hold one
    that brings the process down: item by item every item that is done stays done.
    """
    if redeliveries < ITEM_BY_ITEM_FROM:
        try:
            await deal(codec.decode(type_name, body))
        except (MalformedError, UnknownTypeError, RefusedValuesError) as error:
            logger.warning(
                "batch.taken_apart", extra={"type": type_name, "cause": type(error).__name__}
            )
        else:
            return
    await _item_by_item(type_name, body, deal, put_aside)


def count_items(body: bytes) -> int:
    """Return how many items a message holds; 1 where that cannot be told."""
    try:
        return len(codec.split(body))
    except MalformedError:
        return 1


async def _item_by_item(type_name: str, body: bytes, deal: Deal, put_aside: PutAside) -> None:
    try:
        items = codec.split(body)
    except MalformedError:
        await put_aside(body, "malformed")
        return
    for item in items:
        if reason := await _reason_against(type_name, item, deal):
            await put_aside(item, reason)


async def _reason_against(type_name: str, item: bytes, deal: Deal) -> str | None:
    """Deal with one item; return why it never can be, None where it was."""
    try:
        await deal(codec.decode(type_name, item))
    except MalformedError:
        return "malformed"
    except UnknownTypeError:
        return "unknown_type"
    except RefusedValuesError:
        return "refused_values"
    return None
