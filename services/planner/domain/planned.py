"""What the plan says about an occurrence, and what becomes of it when its person changes."""

from datetime import date, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from services.planner.domain.decision import still_falls, years_on
from services.planner.domain.falling import due_instant
from services.planner.domain.recipient import Recipient

State = Literal[
    "waiting",
    "released",
    "deferred",
    "accepted",
    "refused",
    "unknown",
    "suppressed",
    "expired",
    "cancelled",
]
PENDING: tuple[State, ...] = ("waiting", "released", "deferred")
"""Nothing has been decided yet: the account's ``pending``."""

FIRST_RETURN_PAUSE_S = 1.0
LONGEST_RETURN_PAUSE_S = 60.0


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
    is_judged_later = not recipient.is_active or row.kind in recipient.opt_outs
    if row.person_version >= recipient.schedule_version or is_judged_later:
        return None
    if kind is None or not still_falls(recipient, kind, row.local_day):
        return _ended(row, recipient, kind)
    earliest_at = row.release_at if row.state == "deferred" else None
    return _due_again(row, recipient, kind, state=row.state, earliest_at=earliest_at)


def decide_anew(
    row: Planned, recipient: Recipient | None, kind: Kind | None, *, earliest_at: datetime
) -> Change:
    """Say what a released row becomes when the dispatcher has handed it back.

    It waits again, not before ``earliest_at``, unless there is no one or nothing to greet any more.
    """
    if recipient is None or not recipient.is_active:
        return _suppressed(row, "user_removed")
    if row.kind in recipient.opt_outs:
        return _suppressed(row, "opted_out")
    if kind is None or not still_falls(recipient, kind, row.local_day):
        return _ended(row, recipient, kind)
    return _due_again(row, recipient, kind, state="waiting", earliest_at=earliest_at)


def return_pause_s(release: int) -> float:
    """Return the real seconds to wait after the ``release``-th request came back: 1, 2, 4 … 60."""
    return min(FIRST_RETURN_PAUSE_S * 2.0 ** min(release - 1, 10), LONGEST_RETURN_PAUSE_S)


def calendar_pause(real_s: float, *, rate: float) -> timedelta:
    """Return what a calendar running at ``rate`` shows after ``real_s`` real seconds."""
    return timedelta(seconds=real_s * rate)


def _suppressed(row: Planned, reason: str) -> Change:
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state="suppressed",
        reason=reason,
    )


def _ended(row: Planned, recipient: Recipient, kind: Kind | None) -> Change:
    if kind is None:
        return _suppressed(row, "kind_unknown")
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state="cancelled",
        reason="date_changed",
        person_version=recipient.schedule_version,
    )


def _due_again(
    row: Planned, recipient: Recipient, kind: Kind, *, state: State, earliest_at: datetime | None
) -> Change:
    due_at = due_instant(row.local_day, kind.wall_time, recipient.zone)
    origin = recipient.origin_of(kind)
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state=state,
        person_version=recipient.schedule_version,
        due_at=due_at,
        release_at=due_at if earliest_at is None else max(due_at, earliest_at),
        expires_at=due_at + kind.late_limit,
        zone=recipient.zone,
        years=None if origin is None else years_on(row.local_day, kind, origin),
    )
