"""Publishes dispatch requests, in batches, with the broker's confirm for each."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from contracts import codec, topology
from contracts.dispatch import DISPATCH_REQUESTED, DispatchRequested
from contracts.envelope import MAX_BATCH_ITEMS, Event, event
from libs.broker import Publisher
from libs.ids import new_id, occurrence_key

SOURCE = "/jubilee/planner"


async def publish_requests(
    publisher: Publisher,
    requests: Sequence[DispatchRequested],
    *,
    now: datetime,
    traceparent: str | None,
) -> None:
    """Return when the broker keeps all of ``requests``; messages go out side by side.

    Raises:
        ExceptionGroup: of ``PublishError``; some may have arrived all the same.
    """
    events = [_event(request, now=now, traceparent=traceparent) for request in requests]
    async with asyncio.TaskGroup() as group:
        for start in range(0, len(events), MAX_BATCH_ITEMS):
            batch = events[start : start + MAX_BATCH_ITEMS]
            group.create_task(_publish(publisher, batch, traceparent=traceparent))


async def _publish(
    publisher: Publisher, batch: Sequence[Event[DispatchRequested]], *, traceparent: str | None
) -> None:
    await publisher.publish(
        topology.COMMANDS,
        DISPATCH_REQUESTED,
        codec.encode(batch),
        items=len(batch),
        message_id=str(new_id()),
        traceparent=traceparent,
    )


def _event(
    request: DispatchRequested, *, now: datetime, traceparent: str | None
) -> Event[DispatchRequested]:
    key = occurrence_key(request.local_day, request.person_id, request.kind)
    return event(
        request,
        # The same release asked for again is a copy of the same command.
        event_id=f"{key}/{request.release}",
        type_name=DISPATCH_REQUESTED,
        source=SOURCE,
        subject=key,
        time=now,
        traceparent=traceparent,
    )
