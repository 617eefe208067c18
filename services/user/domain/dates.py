"""Rules for the dates that matter to a person."""

import re
from datetime import date, datetime, timedelta

from libs.localtime import is_leap
from services.user.domain.errors import FieldRefusedError
from services.user.domain.texts import text_of

EARLIEST = date(1900, 1, 1)
_FIRST_ZONE_AHEAD = timedelta(hours=14)
_A_LEAP_YEAR = 2000

_FULL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_YEARLESS = re.compile(r"--([0-9]{2})-([0-9]{2})")


def latest_day(now: datetime) -> date:
    """Return the date at UTC+14, the latest on Earth at ``now``.

    It is the ``today`` up to which dates are accepted: nobody is told that the day they live in
    lies in the future.
    """
    return (now + _FIRST_ZONE_AHEAD).date()


def parse_date(value: object, *, today: date) -> str:
    """Return a date ``YYYY-MM-DD`` from 1900-01-01 to ``today``, or ``--MM-DD``, as given.

    Raises:
        FieldRefusedError: another form, no such day, before 1900-01-01, or after ``today``.
    """
    text = text_of(value)
    if not _FULL.fullmatch(text):
        return _yearless(text)
    day = _day_of(text)
    if day < EARLIEST:
        raise FieldRefusedError("date_too_early", f"must not be before {EARLIEST.isoformat()}")
    if day > today:
        raise FieldRefusedError("date_in_future", "must not lie in the future")
    return text


def month_day_of(text: str) -> str:
    """Return the ``MM-DD`` of a date of either form."""
    return text[-5:]


def month_day_number(text: str) -> int:
    """Return month * 100 + day of a date of either form: 614 for the fourteenth of June."""
    return int(text[-5:-3]) * 100 + int(text[-2:])


def is_after(later: str, earlier: str) -> bool | None:
    """Tell whether ``later`` lies after ``earlier``; None where a year is unknown."""
    if later.startswith("-") or earlier.startswith("-"):
        return None
    return later > earlier


def _yearless(text: str) -> str:
    found = _YEARLESS.fullmatch(text)
    if found is None:
        raise FieldRefusedError(
            "invalid_date", "must be like 1990-06-14, or --06-14 without a year"
        )
    _existing(_A_LEAP_YEAR, int(found[1]), int(found[2]))
    return text


def _day_of(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return _existing(int(text[:4]), int(text[5:7]), int(text[8:]))


def _existing(year: int, month: int, day: int) -> date:
    try:
        return date(year, month, day)
    except ValueError as error:
        raise FieldRefusedError("invalid_date", _missing_day(year, month, day)) from error


def _missing_day(year: int, month: int, day: int) -> str:
    if (month, day) == (2, 29) and year and not is_leap(year):
        return f"the year {year} has no 29 February"
    return "there is no such day in the calendar"
