"""Records what the dispatcher answers, one type of outcome at a time."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import cast

from contracts import dispatch
from contracts.dispatch import (
    Delivery,
    DeliveryAccepted,
    DeliveryDeferred,
    DeliveryRefused,
    DeliveryReturned,
    DeliverySuppressed,
    DeliveryUnknown,
)
from contracts.kinds import Kind
from libs.postgres.types import Connection, Pool
from services.planner.adapters import outcomes
from services.planner.adapters.days import lock_days_shared, reopen_days
from services.planner.adapters.plan import change_plan, read_by_index
from services.planner.adapters.recipients import list_recipients
from services.planner.adapters.zone_data import hold_zone_data
from services.planner.app.judging import celebrations, decided_anew
from services.planner.app.planning import plan_celebrations
from services.planner.domain.planned import calendar_pause, return_pause_s

_SETTLED: dict[str, outcomes.Settled] = {
    dispatch.DELIVERY_REFUSED: "refused",
    dispatch.DELIVERY_UNKNOWN: "unknown",
}


async def record_outcomes(
    pool: Pool,
    type_name: str,
    answers: Sequence[Delivery],
    *,
    kinds: Mapping[str, Kind],
    now: datetime,
    rate: float,
) -> int:
    """Record a batch of answers of one type; return how many occurrences they changed.

    Copies, answers to older releases and answers about occurrences the plan does not have change
    nothing. A closed day whose account changes is opened again, and closes again with the new one.
    ``rate`` is how many calendar seconds a real one lasts.

    Raises:
        UnstorableError: a value is out of bounds; nothing was recorded.
    """
    async with pool.acquire() as connection, connection.transaction():
        await lock_days_shared(connection)
        await read_by_index(connection)
        changed = await _record(connection, type_name, answers, kinds, now=now, rate=rate)
        if changed:
            await reopen_days(connection, sorted({answer.local_day for answer in answers}))
    return changed


async def _record(
    connection: Connection,
    type_name: str,
    answers: Sequence[Delivery],
    kinds: Mapping[str, Kind],
    *,
    now: datetime,
    rate: float,
) -> int:
    match type_name:
        case dispatch.DELIVERY_ACCEPTED:
            return await outcomes.accept(connection, cast("Sequence[DeliveryAccepted]", answers))
        case dispatch.DELIVERY_DEFERRED:
            return await outcomes.defer(connection, cast("Sequence[DeliveryDeferred]", answers))
        case dispatch.DELIVERY_RETURNED:
            returned = cast("Sequence[DeliveryReturned]", answers)
            return await _plan_anew(connection, returned, kinds, now=now, rate=rate)
        case dispatch.DELIVERY_SUPPRESSED:
            suppressed = cast("Sequence[DeliverySuppressed]", answers)
            return await _suppress(connection, suppressed, kinds, now=now)
        case _:
            settled = cast("Sequence[DeliveryRefused | DeliveryUnknown]", answers)
            return await outcomes.settle(connection, _SETTLED[type_name], settled, now=now)


async def _suppress(
    connection: Connection,
    suppressed: Sequence[DeliverySuppressed],
    kinds: Mapping[str, Kind],
    *,
    now: datetime,
) -> int:
    """Record what was suppressed; plan it again where its people had come back in time.

    Somebody who leaves and comes back may be met by the dispatcher in between, while this planner
    has heard of both: nothing will be heard again that would bring the occurrence back.
    """
    await hold_zone_data(connection)
    changed = await outcomes.settle(connection, "suppressed", suppressed, now=now)
    outrun = await outcomes.list_outrun(connection, suppressed)
    people = await list_recipients(connection, sorted({person_id for _, person_id, _ in outrun}))
    concerned = {(person_id, kind) for _, person_id, kind in outrun if kind in kinds}
    filed = [
        one
        for person_id, kind in sorted(concerned)
        for one in celebrations(people[person_id], [kinds[kind]])
    ]
    days = sorted({day for day, _, _ in outrun})
    await plan_celebrations(connection, filed, kinds.values(), open_days=days)
    return changed


async def _plan_anew(
    connection: Connection,
    returned: Sequence[DeliveryReturned],
    kinds: Mapping[str, Kind],
    *,
    now: datetime,
    rate: float,
) -> int:
    """Decide anew about what was handed back, by what its people and the holds are now.

    The people are read after their rows are held: a projection that came first has been waited
    for, one that comes later finds the row waiting and moves it.
    """
    await hold_zone_data(connection)
    rows = await outcomes.lock_returned(connection, returned)
    people = await list_recipients(connection, sorted({row.person_id for row in rows}))
    changes = []
    for row in rows:
        pause = calendar_pause(return_pause_s(row.release), rate=rate)
        change = decided_anew(
            row, people.get(row.person_id), kinds.get(row.kind), earliest_at=now + pause
        )
        changes.append(change)
    await change_plan(connection, changes, now=now)
    return len(changes)
