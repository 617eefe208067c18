"""Pauses and cancellations, as the planner tells them: what may not be claimed."""

from collections.abc import Sequence

from contracts.plan_events import PlanCancelled, PlanPaused, PlanResumed
from libs.postgres.types import Connection
from services.dispatcher.adapters.refusals import refusing_bad_values
from services.dispatcher.adapters.sql import SQL


async def put_pauses(connection: Connection, pauses: Sequence[PlanPaused]) -> None:
    """Keep pauses; no id twice.

    Raises:
        RefusedValuesError: a value cannot be stored.
    """
    with refusing_bad_values():
        await connection.execute(
            SQL.put_pauses,
            [pause.pause_id for pause in pauses],
            [pause.person_id for pause in pauses],
            [pause.kind for pause in pauses],
            [pause.paused_at for pause in pauses],
        )


async def end_pauses(connection: Connection, resumed: Sequence[PlanResumed]) -> None:
    """End pauses, known or not; no id twice.

    Raises:
        RefusedValuesError: a value cannot be stored.
    """
    with refusing_bad_values():
        await connection.execute(
            SQL.end_pauses,
            [one.pause_id for one in resumed],
            [one.resumed_at for one in resumed],
        )


async def put_cancellations(connection: Connection, cancellations: Sequence[PlanCancelled]) -> None:
    """Keep cancellations; no id twice.

    Raises:
        RefusedValuesError: a value cannot be stored.
    """
    with refusing_bad_values():
        await connection.execute(
            SQL.put_cancellations,
            [one.cancellation_id for one in cancellations],
            [one.person_id for one in cancellations],
            [one.kind for one in cancellations],
            [one.first_day for one in cancellations],
            [one.last_day for one in cancellations],
            [one.cancelled_at for one in cancellations],
        )
