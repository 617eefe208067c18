"""The smallest change that makes a "no" a "yes", found by asking the rule again."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from typing import Any, Literal

import msgspec

from contracts.kinds import Kind
from contracts.recipient_events import EVERY_KIND
from libs.localtime import local_day_at
from services.planner.domain.decision import Decision, decide
from services.planner.domain.explanation import Choice
from services.planner.domain.facts import Facts
from services.planner.domain.falling import due_instant, falls_on, has_begun
from services.planner.domain.origin import MalformedOriginError, origin_from
from services.planner.domain.recipient import Recipient

Action = Literal["restore", "opt_in", "set_date", "set_leap_day", "lift_block", "resume"]

_SETTABLE = frozenset({"birthday", "anniversary"})
_WEEK = timedelta(days=7)
_MAX_STEPS = 8
"""More than there are rules that a change can mend."""

_WHY_NOT = {
    "person_is_there": "the person was erased for ever",
    "date_is_known": "there is no such date, and none can be set",
    "date_falls_on_day": "no date that can be set falls on such a day",
    "known_in_time": "it is known only since after its instant; the next one is owed",
    "not_called_off": "it was called off for good",
    "not_too_late": "its late limit has passed",
    "only_day_of_period": "another day of this period was greeted, or may have been",
    "not_ended_already": "it has ended",
}
_TOO_LATE_TO_CHANGE = "its instant has passed, and what is changed now counts only from the next on"


class Step(msgspec.Struct, frozen=True):
    """One thing to do. ``fields`` is a merge patch of the person, empty where it is none."""

    action: Action
    text: str
    fields: dict[str, Any] = {}


class Suggestion(msgspec.Struct, frozen=True):
    """The steps that together make ``local_day`` owed; none of them where nothing can."""

    text: str
    steps: tuple[Step, ...] = ()
    local_day: date | None = None

    @property
    def is_possible(self) -> bool:
        """Whether anything can be done."""
        return bool(self.steps)


class _Case(msgspec.Struct, frozen=True, kw_only=True):
    """A person, a day and facts as they would be after the steps so far, taken at ``now``."""

    recipient: Recipient
    kind: Kind
    choice: Choice
    facts: Facts
    now: datetime
    steps: tuple[Step, ...] = ()

    def decision(self) -> Decision:
        """Ask the rule."""
        return decide(self.recipient, self.kind, self.choice.local_day, facts=self.facts)

    def after(self, step: Step, **given: Any) -> "_Case":
        """Return the case with ``step`` taken, which makes what is ``given`` of the person."""
        recipient = msgspec.structs.replace(self.recipient, **given)
        return msgspec.structs.replace(self, recipient=recipient, steps=(*self.steps, step))


def suggest(
    recipient: Recipient, kind: Kind, choice: Choice, *, facts: Facts, now: datetime
) -> Suggestion | None:
    """Return what would make the occurrence owed if it were done ``now``; None where it is.

    Each refusal is mended by the least that mends it, and the rule is asked again: what it says to
    the last case is the proof of the suggestion.
    """
    case = _Case(recipient=recipient, kind=kind, choice=choice, facts=facts, now=now)
    for _ in range(_MAX_STEPS):
        refusal = case.decision().refusal
        if refusal is None:
            break
        mended = _MENDS[refusal.name](case) if refusal.name in _MENDS else None
        if mended is None:
            return Suggestion(_why_not(refusal.name, case))
        case = mended
    return _told(case) if case.steps else None


def _why_not(rule: str, case: _Case) -> str:
    """Say why nothing mends ``rule``, which may be asked only after the first steps were taken."""
    if rule not in _WHY_NOT:
        return "nothing can"
    if not case.steps:
        return f"nothing can: {_WHY_NOT[rule]}"
    if rule == "known_in_time":
        return f"nothing can: {_TOO_LATE_TO_CHANGE}"
    return f"nothing can: whatever else is changed, {_WHY_NOT[rule]}"


def _told(case: _Case) -> Suggestion:
    text = "; ".join(step.text for step in case.steps)
    return Suggestion(text, case.steps, case.choice.local_day)


def _restore(case: _Case) -> _Case | None:
    if case.recipient.is_erased:
        return None
    step = Step("restore", "restore the person")
    return case.after(step, is_active=True, active_since=case.now)


def _opt_in(case: _Case) -> _Case:
    name = case.kind.name
    rest = tuple(one for one in case.recipient.opt_outs if one != name)
    step = Step("opt_in", f"remove {name} from opt_outs", {"opt_outs": list(rest)})
    since = {**case.recipient.opted_in_since, name: case.now}
    return case.after(step, opt_outs=rest, opted_in_since=since)


def _move_leap_day(case: _Case) -> _Case | None:
    """Move the celebration of a 29 February, where that is all it needs."""
    other: Literal["feb28", "mar1"] = "mar1" if case.recipient.leap_day == "feb28" else "feb28"
    origin, day = case.recipient.origin_of(case.kind), case.choice.local_day
    if origin is None or day is None or not falls_on(day, case.kind, origin=origin, leap_day=other):
        return None
    step = Step("set_leap_day", f"set leap_day to {other}", {"leap_day": other})
    return case.after(step, leap_day=other)


def _move_date(case: _Case) -> _Case | None:
    return _move_leap_day(case) or _set_date(case)


def _set_date(case: _Case) -> _Case | None:
    """Set the date to the nearest one that falls on the day in question."""
    day = case.choice.local_day or _any_day(case)
    field = case.kind.date_field
    text = next(_falling_dates(case, day), None)
    if text is None or field not in _SETTABLE:
        return None
    after = case.after(
        Step("set_date", f"set {field} to a date such as {text}", {field: text}),
        dates={**case.recipient.dates, field: text},
        dates_since={**case.recipient.dates_since, field: case.now},
    )
    return msgspec.structs.replace(
        after, choice=msgspec.structs.replace(case.choice, local_day=day)
    )


def _any_day(case: _Case) -> date:
    """Return the first day in question that can still be owed; a past year has none."""
    today = local_day_at(case.now, case.recipient.zone)
    due_at = due_instant(today, case.kind.wall_time, case.recipient.zone)
    first = today if due_at >= case.now else today + timedelta(days=1)
    year = case.choice.year
    if year is None or year == first.year:
        return first
    return date(year, 1, 1) if year > first.year else date(year, 12, 31)


def _falling_dates(case: _Case, day: date) -> Iterator[str]:
    """Yield dates that fall on ``day`` and have happened by then, the least changed first."""
    known = case.recipient.dates.get(case.kind.date_field)
    today = local_day_at(case.now, case.recipient.zone)
    for text in _candidates(known, day - timedelta(days=case.kind.offset_days), today=today):
        try:
            found = origin_from(text).later(case.kind.offset_days)
        except MalformedOriginError:
            continue
        leap_day = case.recipient.leap_day
        falls = falls_on(day, case.kind, origin=found, leap_day=leap_day)
        if falls and has_begun(found, day):
            yield text


def _candidates(known: str | None, day: date, *, today: date) -> Iterator[str]:
    if known is not None and not known.startswith("--"):
        yield f"{known[:4]}-{day:%m-%d}"
    yield f"--{day:%m-%d}"
    # Dates to come are no dates of a person yet: the same weekday, up to today.
    weeks_ahead = max(-(-(day - today).days // _WEEK.days), 0)
    yield (day - weeks_ahead * _WEEK).isoformat()


def _lift_block(case: _Case) -> _Case:
    name = case.kind.name
    lifted = {name, EVERY_KIND}
    rest = {kind: reason for kind, reason in case.facts.blocks.items() if kind not in lifted}
    words = sorted({case.facts.blocks[kind] for kind in lifted & case.facts.blocks.keys()})
    step = Step("lift_block", f"lift what blocks the mail: {', '.join(words)}")
    after = case.after(step)
    return msgspec.structs.replace(after, facts=msgspec.structs.replace(case.facts, blocks=rest))


def _resume(case: _Case) -> _Case:
    """End every pause that holds it."""
    for pause in case.facts.pauses_of(case.kind.name):
        rest = tuple(one for one in case.facts.pauses if one is not pause)
        after = case.after(Step("resume", f"resume the pause {pause.pause_id}"))
        facts = msgspec.structs.replace(case.facts, pauses=rest)
        case = msgspec.structs.replace(after, facts=facts)
    return case


_MENDS: Mapping[str, Callable[[_Case], _Case | None]] = {
    "person_is_there": _restore,
    "kind_is_wanted": _opt_in,
    "date_is_known": _set_date,
    "date_falls_on_day": _move_date,
    "date_has_happened": _set_date,
    "mail_is_not_blocked": _lift_block,
    "not_paused": _resume,
}
