"""What the plan says about an occurrence, and what becomes of it when its person changes."""

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from services.planner.domain.decision import Decision, decide
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.recipient import Recipient
from services.planner.domain.state import State

FIRST_RETURN_PAUSE_S = 1.0
LONGEST_RETURN_PAUSE_S = 60.0

_JUDGED_AT_RELEASE = ("user_removed", "opted_out")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the plan, as far as it matters to what becomes of it."""

    local_day: date
    person_id: UUID
    kind: str
    state: State
    release: int
    due_at: datetime
    release_at: datetime
    person_version: int


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan row becomes. The fields that are None stay as they are."""

    local_day: date
    person_id: UUID
    kind: str
    state: State
    reason: str | None = None
    person_version: int | None = None
    release: int | None = None
    due_at: datetime | None = None
    release_at: datetime | None = None
    expires_at: datetime | None = None
    zone: str | None = None
    years: int | None = None


def reschedule(row: Planned, recipient: Recipient, kind: Kind | None) -> Change | None:
    """Say what an unreleased row becomes when ``recipient`` is newer than what it was made from.

    It moves to the new instant, be it past: what was owed stays owed. It is cancelled where the
    date has moved away. None: it stays, also for people who left or opted out, who are judged at
    the release.
    """
    if row.person_version >= recipient.schedule_version:
        return None
    if kind is None:
        return _suppressed(row, "kind_unknown")
    decision = _decide_pending(row, recipient, kind)
    if decision.reason in _JUDGED_AT_RELEASE:
        return None
    earliest_at = row.release_at if row.state == "deferred" else None
    return _decided(row, recipient, decision, state=row.state, earliest_at=earliest_at)


def decide_anew(
    row: Planned, recipient: Recipient | None, kind: Kind | None, *, earliest_at: datetime
) -> Change:
    """Say what a released row becomes when the dispatcher has handed it back.

    It waits again, not before ``earliest_at``, unless there is no one or nothing to greet any more.
    """
    if recipient is None:
        return _suppressed(row, "user_removed")
    if kind is None:
        return _suppressed(row, "kind_unknown")
    decision = _decide_pending(row, recipient, kind)
    if decision.reason in _JUDGED_AT_RELEASE:
        return _suppressed(row, decision.reason)
    return _decided(row, recipient, decision, state="waiting", earliest_at=earliest_at)


def return_pause_s(release: int) -> float:
    """Return the real seconds to wait after the ``release``-th request came back: 1, 2, 4 … 60."""
    return min(FIRST_RETURN_PAUSE_S * 2.0 ** min(release - 1, 10), LONGEST_RETURN_PAUSE_S)


def calendar_pause(real_s: float, *, rate: float) -> timedelta:
    """Return what a calendar running at ``rate`` shows after ``real_s`` real seconds."""
    return timedelta(seconds=real_s * rate)


def _decide_pending(row: Planned, recipient: Recipient, kind: Kind) -> Decision:
    """Ask the rule about a row of which nothing is decided: what is owed stays owed."""
    pending = PlannedDay(row.local_day, period=row.local_day, state="waiting")
    return decide(recipient, kind, row.local_day, facts=Facts(rows=(pending,)))


def _suppressed(row: Planned, reason: str) -> Change:
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state="suppressed",
        reason=reason,
    )


def _decided(
    row: Planned,
    recipient: Recipient,
    decision: Decision,
    *,
    state: State,
    earliest_at: datetime | None,
) -> Change:
    if not decision.is_owed:
        return Change(
            local_day=row.local_day,
            person_id=row.person_id,
            kind=row.kind,
            state="cancelled",
            reason="date_changed",
            person_version=recipient.schedule_version,
        )
    _, due_at, expires_at, _ = decision.dated()
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state=state,
        person_version=recipient.schedule_version,
        due_at=due_at,
        release_at=due_at if earliest_at is None else max(due_at, earliest_at),
        expires_at=expires_at,
        zone=recipient.zone,
        years=decision.years,
    )
