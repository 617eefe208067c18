"""How dates recur, against tables and against brute force."""

from calendar import monthrange
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kinds import Cadence
from services.planner.domain.origin import MalformedOriginError, Origin, origin_from
from services.planner.domain.recurrence import RECURRENCES, LeapDay
from tests.support.recipients import day

YEARLY = RECURRENCES["yearly"]

dates = st.dates(date(1900, 1, 1), date(2100, 12, 31))
leap_days: st.SearchStrategy[LeapDay] = st.sampled_from(["feb28", "mar1"])


def finds(cadence: Cadence, origin: Origin, leap_day: LeapDay, local_day: date) -> bool:
    recurrence = RECURRENCES[cadence]
    return any(
        bucket.number == recurrence.bucket_of(origin)
        and bucket.leap_day in {None, leap_day}
        and bucket.only_origin in {None, origin.first_day}
        for bucket in recurrence.buckets_on(local_day)
    )


def is_birthday(origin: Origin, leap_day: LeapDay, local_day: date) -> bool:
    """The rule told the other way round: ask the calendar whether the year has that day."""
    try:
        this_year = date(local_day.year, origin.month, origin.day)
    except ValueError:
        this_year = date(local_day.year, 3, 1) - timedelta(days=1 if leap_day == "feb28" else 0)
    return this_year == local_day


@given(dates, dates, leap_days)
def test_yearly_buckets_find_exactly_the_birthdays(
    born: date, local_day: date, leap_day: LeapDay
) -> None:
    origin = Origin(born.year, born.month, born.day)
    assert finds("yearly", origin, leap_day, local_day) == is_birthday(origin, leap_day, local_day)


@given(dates, leap_days, st.integers(1900, 2100))
def test_a_birthday_falls_once_a_year(born: date, leap_day: LeapDay, year: int) -> None:
    origin = Origin(None, born.month, born.day)
    days = (date(year, 1, 1) + timedelta(days=offset) for offset in range(365 + (year % 4 == 0)))
    assert sum(finds("yearly", origin, leap_day, one) for one in days if one.year == year) == 1


@given(dates, dates, leap_days, st.sampled_from(sorted(RECURRENCES)), st.booleans())
def test_the_next_day_is_the_first_one_found(
    start: date, since: date, leap_day: LeapDay, cadence: Cadence, has_year: bool
) -> None:
    origin = Origin(start.year if has_year else None, start.month, start.day)
    following = RECURRENCES[cadence].next_day(origin, leap_day, since)
    first = max(since, origin.first_day or since)
    passed = (first + timedelta(days=offset) for offset in range(367))
    expected = next((one for one in passed if finds(cadence, origin, leap_day, one)), None)
    assert following == expected


@pytest.mark.parametrize(
    ("local_day", "feb28", "mar1"),
    [
        pytest.param("2024-02-28", False, False, id="EC-BD-001 leap year, the day before"),
        pytest.param("2024-02-29", True, True, id="EC-BD-001 leap year"),
        pytest.param("2024-03-01", False, False, id="EC-BD-001 leap year, the day after"),
        pytest.param("2027-02-28", True, False, id="EC-BD-002 common year"),
        pytest.param("2027-03-01", False, True, id="EC-BD-003 common year, as wished"),
        pytest.param("2100-02-28", True, False, id="century without a leap day"),
        pytest.param("2000-02-29", True, True, id="EC-BD-005 century with a leap day"),
    ],
)
def test_29_february_follows_the_wish(local_day: str, feb28: bool, mar1: bool) -> None:
    origin = origin_from("1996-02-29")
    found = [finds("yearly", origin, wish, day(local_day)) for wish in ("feb28", "mar1")]
    assert found == [feb28, mar1]


@pytest.mark.parametrize(
    ("cadence", "local_day", "period"),
    [
        pytest.param("yearly", "2026-12-31", "2026-01-01", id="EC-BD-007 year"),
        pytest.param("monthly", "2026-06-30", "2026-06-01", id="month"),
        pytest.param("weekly", "2026-06-14", "2026-06-08", id="week begins on Monday"),
        pytest.param("daily", "2026-06-14", "2026-06-14", id="EC-ST-008 day"),
        pytest.param("once", "2026-06-14", "1970-01-01", id="EC-ST-009 all of time"),
    ],
)
def test_a_day_belongs_to_one_period(cadence: Cadence, local_day: str, period: str) -> None:
    assert RECURRENCES[cadence].period_of(day(local_day)) == day(period)


@given(dates, dates)
def test_monthly_falls_once_a_month_even_in_short_ones(start: date, month: date) -> None:
    origin = Origin(None, start.month, start.day)
    length = monthrange(month.year, month.month)[1]
    days = (month.replace(day=number) for number in range(1, length + 1))
    assert sum(finds("monthly", origin, "feb28", one) for one in days) == 1


@pytest.mark.parametrize("cadence", ["weekly", "once"])
def test_a_date_without_a_year_has_no_weekday_and_no_single_day(cadence: Cadence) -> None:
    assert RECURRENCES[cadence].bucket_of(origin_from("--06-14")) is None


@given(dates, dates, leap_days)
def test_a_person_is_in_one_bucket_per_cadence(start: date, other: date, wish: LeapDay) -> None:
    origin = Origin(start.year, start.month, start.day)
    numbers = [recurrence.bucket_of(origin) for recurrence in RECURRENCES.values()]
    assert len(set(numbers)) == len(RECURRENCES)
    assert not finds("once", origin, wish, other) or other == start


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("1990-06-14", Origin(1990, 6, 14)),
        ("--06-14", Origin(None, 6, 14)),
        ("--02-29", Origin(None, 2, 29)),
    ],
)
def test_a_date_may_lack_its_year(text: str, origin: Origin) -> None:
    assert origin_from(text) == origin


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("1900-02-29", id="EC-BD-004 no such day"),
        pytest.param("--09-31", id="EC-BD-008 no such day in any year"),
        pytest.param("1990-6-14", id="digits missing"),
        pytest.param("1990-06-14T00:00", id="time part"),
        pytest.param("06-14", id="no year and no dashes"),
        pytest.param("", id="empty"),
        pytest.param("0000-01-01", id="EC-BD-020 year zero"),
    ],
)
def test_nonsense_is_no_date(text: str) -> None:
    with pytest.raises(MalformedOriginError):
        origin_from(text)
