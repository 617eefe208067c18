"""What the planner tells the world about its plan, as messages for the outbox."""

from collections.abc import Sequence
from datetime import date, datetime

import msgspec

from contracts import codec, plan_events, topology
from contracts.envelope import event
from contracts.plan_events import (
    AccountEntry,
    PlanCancelled,
    PlanDayClosed,
    PlanPaused,
    PlanResumed,
)
from libs.outbox import OutboxMessage
from libs.telemetry.tracing import current_traceparent
from services.planner.adapters.requests import SOURCE
from services.planner.domain.account import Entry
from services.planner.domain.holds import Cancellation, Pause

_SUBJECT = "plan"


def paused(pause: Pause) -> OutboxMessage:
    """Return the news of a pause."""
    told = PlanPaused(
        pause_id=pause.pause_id,
        paused_at=pause.paused_at,
        person_id=pause.person_id,
        kind=pause.kind,
    )
    return _message(plan_events.PLAN_PAUSED, told, f"{pause.pause_id}/paused", pause.paused_at)


def resumed(pause: Pause, *, resumed_at: datetime) -> OutboxMessage:
    """Return the news that a pause has ended."""
    told = PlanResumed(pause_id=pause.pause_id, resumed_at=resumed_at)
    return _message(plan_events.PLAN_RESUMED, told, f"{pause.pause_id}/resumed", resumed_at)


def cancelled(cancellation: Cancellation) -> OutboxMessage:
    """Return the news of a cancellation."""
    told = PlanCancelled(
        cancellation_id=cancellation.cancellation_id,
        cancelled_at=cancellation.cancelled_at,
        first_day=cancellation.first_day,
        last_day=cancellation.last_day,
        person_id=cancellation.person_id,
        kind=cancellation.kind,
    )
    return _message(
        plan_events.PLAN_CANCELLED,
        told,
        str(cancellation.cancellation_id),
        cancellation.cancelled_at,
    )


def day_closed(
    local_day: date, entries: Sequence[Entry], *, closing: int, closed_at: datetime
) -> OutboxMessage:
    """Return the news that a day was closed for the ``closing``-th time, with its account."""
    told = PlanDayClosed(
        local_day=local_day,
        closing=closing,
        closed_at=closed_at,
        owed=sum(entry.count for entry in entries),
        account=[
            AccountEntry(kind=one.kind, state=one.state, reason=one.reason, count=one.count)
            for one in entries
        ],
    )
    return _message(plan_events.PLAN_DAY_CLOSED, told, f"{local_day}/{closing}", closed_at)


def _message(
    type_name: str, told: msgspec.Struct, event_id: str, recorded_at: datetime
) -> OutboxMessage:
    news = event(
        told,
        event_id=event_id,
        type_name=type_name,
        source=SOURCE,
        subject=_SUBJECT,
        time=recorded_at,
        traceparent=current_traceparent(),
    )
    return OutboxMessage(topology.EVENTS, type_name, 1, codec.encode_items([news]))
