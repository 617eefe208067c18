"""Whether an occurrence is owed, and why: the one rule behind plan, answers and explanations."""

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta

import msgspec

from contracts.kinds import Kind
from services.planner.domain.facts import NO_FACTS, Facts
from services.planner.domain.falling import due_instant, falls_on, has_begun
from services.planner.domain.origin import Origin
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES

InstantOf = Callable[[date, time, str], datetime]
"""Says when clocks in a zone show a wall time of a local day."""


class UndatedError(Exception):
    """A decision about a missing person, date or day names no instant."""


class Rule(msgspec.Struct, frozen=True):
    """One condition: its name, the word for when it does not hold, whether it does.

    ``look`` tells what it looked at; only explanations ask, simulations decide without.
    """

    name: str
    reason: str
    holds: bool
    look: Callable[[], dict[str, str]]

    @property
    def inputs(self) -> dict[str, str]:
        """What it looked at."""
        return self.look()


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``rules`` in the order they were asked, up to the first that refused.

    ``due_at`` and what follows from it are None where the person, the date or the day is missing.
    """

    local_day: date | None
    kind: str
    rules: tuple[Rule, ...]
    due_at: datetime | None = None
    expires_at: datetime | None = None
    period: date | None = None
    years: int | None = None

    @property
    def is_owed(self) -> bool:
        """Whether every rule held."""
        return self.refusal is None

    @property
    def refusal(self) -> Rule | None:
        """The first rule that refused, which is the last asked; None where all held."""
        last = self.rules[-1]
        return None if last.holds else last

    @property
    def reason(self) -> str | None:
        """The word of the first rule that refused."""
        refusal = self.refusal
        return None if refusal is None else refusal.reason

    def dated(self) -> tuple[date, datetime, datetime, date]:
        """Return ``local_day``, ``due_at``, ``expires_at`` and ``period`` of one that has them.

        Raises:
            UndatedError: the person, the date or the day is missing.
        """
        day, due_at, expires_at, period = self.local_day, self.due_at, self.expires_at, self.period
        if day is None or due_at is None or expires_at is None or period is None:
            raise UndatedError
        return day, due_at, expires_at, period


def decide(
    recipient: Recipient,
    kind: Kind,
    local_day: date | None,
    *,
    facts: Facts = NO_FACTS,
    instant_of: InstantOf = due_instant,
) -> Decision:
    """Say whether ``recipient`` is owed a greeting of ``kind`` for ``local_day``.

    In order: the person is there and wants the kind, has the date, it falls on the day and not
    before it happened; all of this was known by the instant at which it is due; it is not called
    off, and not too late; no pause holds it and nothing blocks the mail; no other day of the period
    was greeted, and nothing else has become of it. ``local_day`` is None where the date falls on no
    day that was asked about.
    """
    origin = recipient.origin_of(kind) if recipient.is_active else None
    due_at = None
    if origin is not None and local_day is not None:
        due_at = instant_of(local_day, kind.wall_time, recipient.zone)
    asked = _Asked(recipient, kind, local_day, origin, due_at, facts, instant_of)
    rules = tuple(_until_refused(_rules(asked)))
    if origin is None or local_day is None or due_at is None:
        return Decision(local_day=local_day, kind=kind.name, rules=rules)
    return Decision(
        local_day=local_day,
        kind=kind.name,
        rules=rules,
        due_at=due_at,
        expires_at=due_at + kind.late_limit,
        period=RECURRENCES[kind.cadence].period_of(local_day),
        years=years_on(local_day, kind, origin),
    )


def years_on(local_day: date, kind: Kind, origin: Origin) -> int | None:
    """Return how many years ``kind`` counts on ``local_day``, where it counts and they are known.

    A 29 February counts in full on the day it is celebrated in a common year.
    """
    year = RECURRENCES[kind.cadence].counted_year(local_day)
    return None if year is None or origin.year is None else year - origin.year


class _Asked(msgspec.Struct, frozen=True):
    """A question, with what follows from it at once."""

    recipient: Recipient
    kind: Kind
    local_day: date | None
    origin: Origin | None
    due_at: datetime | None
    facts: Facts
    instant_of: InstantOf


def _until_refused(rules: Iterator[Rule]) -> Iterator[Rule]:
    for rule in rules:
        yield rule
        if not rule.holds:
            return


def _rules(asked: _Asked) -> Iterator[Rule]:
    yield _person_is_there(asked.recipient)
    yield _kind_is_wanted(asked.recipient, asked.kind)
    yield _date_is_known(asked.recipient, asked.kind)
    if asked.origin is None:
        return
    yield _date_falls_on_day(asked, asked.origin)
    if asked.local_day is None or asked.due_at is None:
        return
    yield _date_has_happened(asked, asked.origin, asked.local_day)
    yield _known_in_time(asked, asked.local_day, asked.due_at)
    yield _not_called_off(asked.facts, asked.kind, asked.local_day)
    yield _not_too_late(asked, asked.local_day, asked.due_at)
    yield _not_paused(asked.facts, asked.kind, asked.local_day)
    yield _mail_is_not_blocked(asked.facts, asked.kind)
    yield _only_day_of_period(asked, asked.local_day)
    yield _not_ended_already(asked.facts, asked.local_day)


def _person_is_there(recipient: Recipient) -> Rule:
    return Rule(
        "person_is_there",
        "user_removed",
        recipient.is_active,
        lambda: {"active": _word(recipient.is_active), "erased": _word(recipient.is_erased)},
    )


def _kind_is_wanted(recipient: Recipient, kind: Kind) -> Rule:
    return Rule(
        "kind_is_wanted",
        "opted_out",
        kind.name not in recipient.opt_outs,
        lambda: {"kind": kind.name, "opt_outs": " ".join(recipient.opt_outs)},
    )


def _date_is_known(recipient: Recipient, kind: Kind) -> Rule:
    text = recipient.dates.get(kind.date_field)
    return Rule(
        "date_is_known",
        "no_date",
        text is not None,
        lambda: {"field": kind.date_field, "date": text or ""},
    )


def _date_falls_on_day(asked: _Asked, origin: Origin) -> Rule:
    falls = asked.local_day is not None and falls_on(
        asked.local_day, asked.kind, origin=origin, leap_day=asked.recipient.leap_day
    )
    return Rule(
        "date_falls_on_day",
        "other_day",
        falls,
        lambda: {
            **_dates(asked),
            "cadence": asked.kind.cadence,
            "leap_day": asked.recipient.leap_day,
        },
    )


def _date_has_happened(asked: _Asked, origin: Origin, local_day: date) -> Rule:
    has_happened = has_begun(origin, local_day)
    return Rule("date_has_happened", "before_date", has_happened, lambda: _dates(asked))


def _known_in_time(asked: _Asked, local_day: date, due_at: datetime) -> Rule:
    """What was ahead in a zone lived in since then stays owed, wherever the person moves to.

    So does what the plan holds undecided.
    """
    since = asked.recipient.since(asked.kind)
    _, *zones_left = asked.recipient.zones_since(asked.kind)
    is_pending = asked.facts.is_pending(local_day)
    was_ahead = due_at >= since or any(
        asked.instant_of(local_day, asked.kind.wall_time, zone) >= since for zone in zones_left
    )
    return Rule(
        "known_in_time",
        "known_too_late",
        was_ahead or is_pending,
        lambda: {
            "due_at": due_at.isoformat(),
            "since": since.isoformat(),
            "zone": asked.recipient.zone,
            "zones_left": " ".join(zones_left),
            "planned": _word(is_pending),
        },
    )


def _not_called_off(facts: Facts, kind: Kind, local_day: date) -> Rule:
    found = facts.cancellation_of(kind.name, local_day)
    return Rule(
        "not_called_off",
        "called_off",
        found is None or facts.was_greeted(local_day),
        lambda: {
            "cancellation": "" if found is None else str(found.cancellation_id),
            "cancelled_at": "" if found is None else found.cancelled_at.isoformat(),
        },
    )


def _not_paused(facts: Facts, kind: Kind, local_day: date) -> Rule:
    pauses = facts.pauses_of(kind.name)
    return Rule(
        "not_paused",
        "paused",
        not pauses or facts.was_greeted(local_day),
        lambda: {"pauses": " ".join(str(pause.pause_id) for pause in pauses)},
    )


def _not_too_late(asked: _Asked, local_day: date, due_at: datetime) -> Rule:
    now, expires_at = asked.facts.now, due_at + asked.kind.late_limit
    row = asked.facts.row_on(local_day)
    is_asked_for = row is not None and row.state in {"released", "accepted"}
    return Rule(
        "not_too_late",
        "too_late",
        now is None or now <= expires_at or is_asked_for,
        lambda: {
            "expires_at": expires_at.isoformat(),
            "now": "" if now is None else now.isoformat(),
            "state": "" if row is None else row.state,
        },
    )


def _mail_is_not_blocked(facts: Facts, kind: Kind) -> Rule:
    block = facts.block_of(kind.name)
    reason = block or "blocked"
    return Rule("mail_is_not_blocked", reason, block is None, lambda: dict(facts.blocks))


def _only_day_of_period(asked: _Asked, local_day: date) -> Rule:
    """Until it is known what became of another day, this one waits for it."""
    period = RECURRENCES[asked.kind.cadence].period_of(local_day)
    holder = asked.facts.holder_of(period, beside=local_day)
    is_under_way = holder is not None and holder.state != "accepted"
    return Rule(
        "only_day_of_period",
        "in_flight" if is_under_way else "already_greeted",
        holder is None,
        lambda: {
            "period": period.isoformat(),
            "greeted_day": "" if holder is None else holder.local_day.isoformat(),
            "greeted_state": "" if holder is None else holder.state,
        },
    )


def _not_ended_already(facts: Facts, local_day: date) -> Rule:
    row = facts.row_on(local_day)
    reason = "ended" if row is None else row.reason or row.state
    return Rule(
        "not_ended_already",
        reason,
        row is None or not row.has_ended,
        lambda: {
            "state": "" if row is None else row.state,
            "reason": "" if row is None else row.reason or "",
        },
    )


def _dates(asked: _Asked) -> dict[str, str]:
    return {
        "date": asked.recipient.dates[asked.kind.date_field],
        "local_day": "" if asked.local_day is None else asked.local_day.isoformat(),
    }


def _word(answer: bool) -> str:
    return str(answer).lower()


def next_decision(
    recipient: Recipient, kind: Kind, *, now: datetime, facts: Facts = NO_FACTS
) -> Decision | None:
    """Return the decision on the first occurrence of ``kind`` due at ``now`` or later.

    One that is passed over only because it became known too late, or because another day of its
    period was greeted, is not it. None: there is no
    such day, because the person or the date is missing or the date never recurs.
    """
    origin = recipient.origin_of(kind) if recipient.is_active else None
    if origin is None:
        return None
    recurrence = RECURRENCES[kind.cadence]
    # No zone is more than a day from UTC: begin there, and leave out what is past.
    since = now.date() - timedelta(days=1)
    while (
        day := recurrence.next_day(origin, leap_day=recipient.leap_day, since=since)
    ) is not None:
        decision = decide(recipient, kind, day, facts=facts)
        if _is_ahead(decision, now):
            return decision
        since = day + timedelta(days=1)
    return None


def _is_ahead(decision: Decision, now: datetime) -> bool:
    is_due_later = decision.due_at is not None and decision.due_at >= now
    return is_due_later and decision.reason not in {"known_too_late", "already_greeted"}
