"""What the planner tells the world about its plan: pauses, cancellations, closed days."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec

from contracts.envelope import Instant

PLAN_PAUSED = "plan.paused.v1"
PLAN_RESUMED = "plan.resumed.v1"
PLAN_CANCELLED = "plan.cancelled.v1"
PLAN_DAY_CLOSED = "plan.day_closed.v1"


class PlanPaused(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of this scope is sent until the pause is resumed; None is everyone, every kind."""

    pause_id: UUID
    paused_at: Instant
    person_id: UUID | None = None
    kind: str | None = None


class PlanResumed(msgspec.Struct, frozen=True, kw_only=True):
    """A pause ended, for good: it wins over ``plan.paused.v1`` in whichever order they arrive."""

    pause_id: UUID
    resumed_at: Instant


class PlanCancelled(msgspec.Struct, frozen=True, kw_only=True):
    """The occurrences of this scope and these local days, both included, are called off for good.

    None is everyone, every kind.
    """

    cancellation_id: UUID
    cancelled_at: Instant
    first_day: date
    last_day: date
    person_id: UUID | None = None
    kind: str | None = None


class AccountEntry(msgspec.Struct, frozen=True, kw_only=True):
    """How many occurrences of a kind ended in a state for a reason."""

    kind: str
    state: str
    count: Annotated[int, msgspec.Meta(ge=0)]
    reason: str | None = None


class PlanDayClosed(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of ``local_day`` is pending: its account, whose counts sum up to ``owed``.

    A day that is opened again, because an answer came late, closes again with the next
    ``closing``; the highest holds.
    """

    local_day: date
    closing: Annotated[int, msgspec.Meta(ge=1)]
    closed_at: Instant
    owed: Annotated[int, msgspec.Meta(ge=0)]
    account: list[AccountEntry]
