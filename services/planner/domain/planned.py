"""What the plan says about an occurrence, and what becomes of it when its person changes."""

from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from services.planner.domain.decision import Decision, decide
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.holds import Hold
from services.planner.domain.recipient import Recipient
from services.planner.domain.state import State

FIRST_RETURN_PAUSE_S = 1.0
LONGEST_RETURN_PAUSE_S = 60.0

_JUST_TOO_LATE = timedelta(microseconds=1)
_JUDGED_AT_RELEASE = ("user_removed", "opted_out")


class Planned(msgspec.Struct, frozen=True, kw_only=True):
    """One row of the plan, as far as it matters to what becomes of it.

    ``hold`` is why operators hold it back, where that was looked up.
    """

    local_day: date
    person_id: UUID
    kind: str
    state: State
    release: int
    due_at: datetime
    release_at: datetime
    person_version: int
    hold: Hold | None = None


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
    date has moved away, and ends where the person was away at its instant and has come back since.
    None: it stays, also for people who left or opted out, who are judged at the release.
    """
    is_newer = row.person_version < recipient.schedule_version
    if kind is None:
        return _suppressed(row, "kind_unknown") if is_newer else None
    if not is_newer and row.due_at >= recipient.since(kind):
        return None
    decision = _decide_pending(row, recipient, kind)
    if decision.reason in _JUDGED_AT_RELEASE:
        return None
    earliest_at = row.release_at if row.state == "deferred" else None
    return _decided(row, recipient, kind, decision, state=row.state, earliest_at=earliest_at)


def decide_anew(
    row: Planned, recipient: Recipient | None, kind: Kind | None, *, earliest_at: datetime
) -> Change:
    """Say what a released row becomes when the dispatcher has handed it back.

    It waits again, not before ``earliest_at``, unless there is no one or nothing to greet any more,
    or it is called off. Paused, it is put off until it is too late: whoever ends the pause brings
    it back before.
    """
    if recipient is None:
        return _suppressed(row, "user_removed")
    if kind is None:
        return _suppressed(row, "kind_unknown")
    decision = _decide_pending(row, recipient, kind)
    if decision.reason in _JUDGED_AT_RELEASE:
        return _suppressed(row, decision.reason)
    if row.hold == "called_off":
        return _cancelled(row, recipient, "called_off")
    change = _decided(row, recipient, kind, decision, state="waiting", earliest_at=earliest_at)
    if row.hold == "paused" and change.expires_at is not None:
        put_off_until = change.expires_at + _JUST_TOO_LATE
        return msgspec.structs.replace(change, reason="paused", release_at=put_off_until)
    return change


def give_up(row: Planned, reason: str) -> Change:
    """Return that nothing comes of the row, for ``reason``."""
    return _suppressed(row, reason)


def return_pause_s(release: int) -> float:
    """Return the real seconds to wait after the ``release``-th request came back: 1, 2, 4 … 60."""
    return min(FIRST_RETURN_PAUSE_S * 2.0 ** min(release - 1, 10), LONGEST_RETURN_PAUSE_S)


def calendar_pause(real_s: float, *, rate: float) -> timedelta:
    """Return what a calendar running at ``rate`` shows after ``real_s`` real seconds."""
    return timedelta(seconds=real_s * rate)


def _decide_pending(row: Planned, recipient: Recipient, kind: Kind) -> Decision:
    """Ask the rule about a row of which nothing is decided: what is owed stays owed.

    Unless the person has come back, or set the date, only after the instant it was planned for.
    """
    if row.due_at < recipient.since(kind):
        return decide(recipient, kind, row.local_day)
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


def _cancelled(row: Planned, recipient: Recipient, reason: str) -> Change:
    return Change(
        local_day=row.local_day,
        person_id=row.person_id,
        kind=row.kind,
        state="cancelled",
        reason=reason,
        person_version=recipient.schedule_version,
    )


def _decided(
    row: Planned,
    recipient: Recipient,
    kind: Kind,
    decision: Decision,
    *,
    state: State,
    earliest_at: datetime | None,
) -> Change:
    if decision.reason == "known_too_late" and (word := _absence(row, recipient, kind)):
        return _suppressed(row, word)
    if not decision.is_owed:
        return _cancelled(row, recipient, "date_changed")
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


def _absence(row: Planned, recipient: Recipient, kind: Kind) -> str | None:
    """Return the word for why the person was not to be greeted at the row's instant, if any."""
    if recipient.active_since > row.due_at:
        return "user_removed"
    if recipient.opted_in_since.get(kind.name, row.due_at) > row.due_at:
        return "opted_out"
    return None
