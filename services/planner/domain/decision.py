"""Whether an occurrence is owed, and why: the one rule behind plan, answers and explanations."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from services.planner.domain.falling import due_instant, falls_on, has_begun
from services.planner.domain.origin import Origin
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES


class UndatedError(Exception):
    """A decision about a missing person or date names no instant."""


class Rule(msgspec.Struct, frozen=True):
    """One condition, whether it held, the word for when it does not, and what it looked at."""

    reason: str
    holds: bool
    inputs: dict[str, str]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """``rules`` in the order they were asked, up to the first that refused.

    ``reason`` is that rule's word, None where the occurrence is owed. ``due_at`` and what follows
    from it are None where the person or the date is missing.
    """

    local_day: date
    kind: str
    rules: tuple[Rule, ...]
    due_at: datetime | None = None
    expires_at: datetime | None = None
    period: date | None = None
    years: int | None = None

    @property
    def is_owed(self) -> bool:
        """Whether every rule held."""
        return all(rule.holds for rule in self.rules)

    @property
    def reason(self) -> str | None:
        """The word of the first rule that refused."""
        return next((rule.reason for rule in self.rules if not rule.holds), None)

    def instants(self) -> tuple[datetime, datetime, date]:
        """Return ``due_at``, ``expires_at`` and ``period`` of a decision that has them.

        Raises:
            UndatedError: the person or the date is missing.
        """
        if self.due_at is None or self.expires_at is None or self.period is None:
            raise UndatedError
        return self.due_at, self.expires_at, self.period


def decide(recipient: Recipient, kind: Kind, local_day: date) -> Decision:
    """Say whether ``recipient`` is owed a greeting of ``kind`` for ``local_day``.

    In order: the person is there, has the date, it falls on the day and not before it happened, the
    kind is wanted, and all of this was known by the instant at which it is due.
    """
    rules = tuple(_until_refused(_rules(recipient, kind, local_day)))
    origin = recipient.origin_of(kind) if recipient.is_active else None
    if origin is None:
        return Decision(local_day=local_day, kind=kind.name, rules=rules)
    due_at = due_instant(local_day, kind.wall_time, recipient.zone)
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


def still_falls(recipient: Recipient, kind: Kind, local_day: date) -> bool:
    """Tell whether the date is such that an occurrence planned for ``local_day`` may stay."""
    origin = recipient.origin_of(kind)
    return (
        origin is not None
        and falls_on(local_day, kind, origin=origin, leap_day=recipient.leap_day)
        and has_begun(origin, local_day)
    )


def _until_refused(rules: Iterator[Rule]) -> Iterator[Rule]:
    for rule in rules:
        yield rule
        if not rule.holds:
            return


def _rules(recipient: Recipient, kind: Kind, local_day: date) -> Iterator[Rule]:
    yield Rule("user_removed", recipient.is_active, {"active": str(recipient.is_active).lower()})
    origin = recipient.origin_of(kind)
    yield Rule("no_date", origin is not None, {"date": recipient.dates.get(kind.date_field, "")})
    if origin is None:
        return
    inputs = {"date": recipient.dates[kind.date_field], "local_day": local_day.isoformat()}
    falls = falls_on(local_day, kind, origin=origin, leap_day=recipient.leap_day)
    yield Rule("other_day", falls, inputs | {"leap_day": recipient.leap_day})
    yield Rule("before_date", has_begun(origin, local_day), inputs)
    is_wanted = kind.name not in recipient.opt_outs
    yield Rule("opted_out", is_wanted, {"opt_outs": " ".join(recipient.opt_outs)})
    yield _known_in_time(recipient, kind, local_day)


def _known_in_time(recipient: Recipient, kind: Kind, local_day: date) -> Rule:
    due_at = due_instant(local_day, kind.wall_time, recipient.zone)
    since = recipient.since(kind)
    return Rule(
        "known_too_late",
        due_at >= since,
        {"due_at": due_at.isoformat(), "since": since.isoformat(), "zone": recipient.zone},
    )


def next_decision(recipient: Recipient, kind: Kind, *, now: datetime) -> Decision | None:
    """Return the decision on the first occurrence of ``kind`` due at ``now`` or later.

    One that is not owed only because it became known too late is passed over. None: there is no
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
        decision = decide(recipient, kind, day)
        if _is_ahead(decision, now):
            return decision
        since = day + timedelta(days=1)
    return None


def _is_ahead(decision: Decision, now: datetime) -> bool:
    is_due_later = decision.due_at is not None and decision.due_at >= now
    return is_due_later and decision.reason != "known_too_late"
