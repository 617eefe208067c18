"""Takes in what operators hold back: pauses, their ends, cancellations."""

from collections.abc import Sequence
from typing import Any

from contracts import plan_events
from contracts.envelope import Event
from libs.postgres.types import Pool
from libs.resilience import repeating
from services.dispatcher.adapters import holds
from services.dispatcher.adapters.metrics import HOLDS_PROJECTED
from services.dispatcher.app.take_batch import HELD_S


async def project_holds(pool: Pool, events: Sequence[Event[Any]]) -> None:
    """Take in events of one type, in any order and however often; claims see them from here on.

    Raises:
        RefusedValuesError: a value cannot be stored; nothing of the batch was.
    """
    if events:
        await repeating(lambda: _write(pool, events), within_s=HELD_S)
    HOLDS_PROJECTED.add(len(events))


async def _write(pool: Pool, events: Sequence[Event[Any]]) -> None:
    told = [event.data for event in {event.id: event for event in events}.values()]
    async with pool.acquire() as connection:
        match events[0].type:
            case plan_events.PLAN_PAUSED:
                await holds.put_pauses(connection, told)
            case plan_events.PLAN_RESUMED:
                await holds.end_pauses(connection, told)
            case plan_events.PLAN_CANCELLED:
                await holds.put_cancellations(connection, told)
