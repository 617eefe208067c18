"""Which day a question about a person and a kind means."""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

import msgspec

from contracts.kinds import Cadence, Kind
from libs.localtime import local_day_at
from services.planner.domain.origin import Origin
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES, LeapDay

Chosen = Literal["day", "year", "next"]

_WHOLE_DAY = timedelta(days=1)


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """The day an answer is about, None where the date falls on none that was asked for.

    ``chosen`` says what decided: the day that was asked for, the year, or that it comes next.
    ``days_in_year`` is how many days of an asked year there were to choose from.
    """

    local_day: date | None
    chosen: Chosen
    year: int | None = None
    days_in_year: int | None = None


def choose_day(
    recipient: Recipient,
    kind: Kind,
    *,
    day: date | None = None,
    year: int | None = None,
    now: datetime,
) -> Choice:
    """Return the day to explain.

    ``day`` itself where it is given. Of ``year`` the first day that is not over where the person
    is, else the last. Otherwise today's occasion until the day is over, then the next; one that
    never comes again is the last one.
    """
    if day is not None:
        return Choice(local_day=day, chosen="day")
    origin, today = recipient.origin_of(kind), local_day_at(now, recipient.zone)
    if year is None:
        chosen = None if origin is None else _next_or_last(recipient, kind, origin, today)
        return Choice(local_day=chosen, chosen="next")
    first, last = date(year, 1, 1), date(year, 12, 31)
    days = days_between(recipient, kind, first=first, last=last)
    return Choice(
        local_day=next((one for one in days if one >= today), days[-1] if days else None),
        chosen="year",
        year=year,
        days_in_year=len(days),
    )


def days_between(recipient: Recipient, kind: Kind, *, first: date, last: date) -> tuple[date, ...]:
    """Return the days on which ``kind`` falls, also those before the date itself.

    Without its year, where it recurs without: a day before the date is refused by that rule.
    """
    origin, recurrence = recipient.origin_of(kind), RECURRENCES[kind.cadence]
    if origin is None:
        return ()
    yearless = msgspec.structs.replace(origin, year=None)
    recurring = origin if recurrence.bucket_of(yearless) is None else yearless
    return _days_between(kind.cadence, recurring, recipient.leap_day, first, last)


@lru_cache(maxsize=8192)
def _days_between(
    cadence: Cadence, origin: Origin, leap_day: LeapDay, first: date, last: date
) -> tuple[date, ...]:
    """Remembered: people are many, dates few."""
    days: list[date] = []
    since = first
    while since <= last:
        day = RECURRENCES[cadence].next_day(origin, leap_day=leap_day, since=since)
        if day is None or day > last:
            break
        days.append(day)
        since = day + _WHOLE_DAY
    return tuple(days)


def _next_or_last(recipient: Recipient, kind: Kind, origin: Origin, today: date) -> date | None:
    recurrence = RECURRENCES[kind.cadence]
    ahead = recurrence.next_day(origin, leap_day=recipient.leap_day, since=today)
    return ahead or recurrence.next_day(origin, leap_day=recipient.leap_day, since=date.min)
