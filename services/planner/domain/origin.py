"""The date a kind counts from, of which the year may be unknown."""

import re
from datetime import date, timedelta
from functools import lru_cache

import msgspec

_TEXT = re.compile(r"(\d{4}|-)-(\d{2})-(\d{2})")
_ANY_LEAP_YEAR = 2000


class MalformedOriginError(ValueError):
    """A text is neither ``YYYY-MM-DD`` nor ``--MM-DD``, or no such day exists."""

    def __init__(self) -> None:
        super().__init__("a date must be YYYY-MM-DD or --MM-DD and exist")


class Origin(msgspec.Struct, frozen=True):
    """A date of a person. ``year`` is None where it is unknown."""

    year: int | None
    month: int
    day: int

    @property
    def first_day(self) -> date | None:
        """The date itself, None where the year is unknown."""
        return None if self.year is None else date(self.year, self.month, self.day)

    def later(self, days: int) -> "Origin":
        """Return the date ``days`` later; one of unknown year moves within a leap year."""
        if not days:
            return self
        moved = date(self.year or _ANY_LEAP_YEAR, self.month, self.day) + timedelta(days=days)
        return Origin(None if self.year is None else moved.year, moved.month, moved.day)


@lru_cache(maxsize=8192)
def origin_from(text: str) -> Origin:
    """Read ``YYYY-MM-DD`` or ``--MM-DD``.

    Raises:
        MalformedOriginError: the text is of another form, or the day exists in no year.
    """
    match = _TEXT.fullmatch(text)
    if match is None:
        raise MalformedOriginError
    year = None if match[1] == "-" else int(match[1])
    try:
        day = date(_ANY_LEAP_YEAR if year is None else year, int(match[2]), int(match[3]))
    except ValueError as error:
        raise MalformedOriginError from error
    return Origin(year, day.month, day.day)
