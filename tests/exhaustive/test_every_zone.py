"""Every zone on every day at several wall times, against another reading of the zone data."""

from datetime import date, datetime, time, timedelta
from functools import cache
from importlib import resources

import pytest

from libs.localtime import instant_at, zone_names
from tests.exhaustive.clocks import (
    DAY_S,
    EPOCH,
    Stretch,
    day_number,
    first_showing,
    instants,
    stretches,
)
from tests.support.depth import IS_NIGHTLY, deeper

FIRST_YEAR, LAST_YEAR = deeper(2024, 1970), deeper(2037, 2100)
WALL_TIMES = ["00:00", "00:30", "02:30", "09:00", "23:30"]
WALL_TIMES_AT_NIGHT = ["01:15", "02:00", "03:00", "08:59", "12:00", "18:45", "23:59"]
CLOSE_TO_CHANGES = [f"{minute // 60:02}:{minute % 60:02}" for minute in range(15, 24 * 60, 45)]
EARLIEST = date(1970, 1, 1)
LATEST = date(2100, 12, 31)

Days = dict[date, datetime]


@cache
def content_of(zone: str) -> bytes:
    return resources.files("tzdata").joinpath("zoneinfo", *zone.split("/")).read_bytes()


@cache
def places() -> dict[bytes, list[str]]:
    """Return the names of zones by what their files hold: aliases share it."""
    found: dict[bytes, list[str]] = {}
    for zone in zone_names():
        found.setdefault(content_of(zone), []).append(zone)
    return found


@cache
def zone_from(content: bytes) -> list[Stretch]:
    return stretches(content, last_year=LATEST.year + 1)


def seconds_of(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60


def days_of(first: date, last: date) -> list[date]:
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]


def expected(content: bytes, days: list[date], wall_time: str) -> list[datetime]:
    numbers = [day_number(day) for day in days]
    found = first_showing(zone_from(content), numbers, seconds_of(wall_time))
    return instants([found[number] for number in numbers])


@pytest.mark.timeout(deeper(180, 900))
@pytest.mark.parametrize("wall_time", [*WALL_TIMES, *(WALL_TIMES_AT_NIGHT if IS_NIGHTLY else [])])
def test_every_zone_on_every_day(wall_time: str) -> None:
    days = days_of(date(FIRST_YEAR, 1, 1), date(LAST_YEAR, 12, 31))
    at = time.fromisoformat(wall_time)
    for content, (zone, *_) in places().items():
        found = [instant_at(day, at, zone) for day in days]
        assert found == expected(content, days, wall_time), zone


@pytest.mark.edge_case(
    "EC-TZ-016", "EC-TZ-017", "EC-TZ-018", "EC-TZ-019", "EC-TZ-020", "EC-TZ-021", "EC-TZ-023"
)
@pytest.mark.parametrize("wall_time", CLOSE_TO_CHANGES[:: deeper(4, 1)])
def test_the_days_around_every_change_of_clocks_from_1970_to_2100(wall_time: str) -> None:
    at = time.fromisoformat(wall_time)
    for content, (zone, *_) in places().items():
        days = days_around_changes(zone_from(content))
        found = [instant_at(day, at, zone) for day in days]
        assert found == expected(content, days, wall_time), zone


def days_around_changes(zone: list[Stretch]) -> list[date]:
    numbers = {
        (one.start + one.offset) // DAY_S + offset for one in zone[1:] for offset in (-1, 0, 1)
    }
    days = (EPOCH + timedelta(days=number) for number in sorted(numbers) if number >= 0)
    return [day for day in days if EARLIEST <= day <= LATEST]


@pytest.mark.edge_case("EC-TZ-008")
def test_every_alias_has_the_clocks_of_its_file() -> None:
    days = days_of(date(2026, 1, 1), date(2026, 12, 31))
    for zone in zone_names():
        found = [instant_at(day, time(9), zone) for day in days]
        assert found == expected(content_of(zone), days, "09:00"), zone


def test_the_oracle_knows_what_history_did() -> None:
    """The oracle is checked by facts that anyone can look up."""
    facts = [
        ("Pacific/Apia", "2011-12-30", "09:00", "2011-12-30T19:00:00+00:00"),
        ("Pacific/Kwajalein", "1993-08-21", "09:00", "1993-08-21T21:00:00+00:00"),
        ("Australia/Lord_Howe", "2026-10-04", "02:15", "2026-10-03T15:45:00+00:00"),
        ("America/New_York", "2026-11-01", "01:30", "2026-11-01T05:30:00+00:00"),
        ("Europe/Berlin", "2026-03-29", "02:30", "2026-03-29T01:30:00+00:00"),
        ("Asia/Kathmandu", "2026-06-14", "09:00", "2026-06-14T03:15:00+00:00"),
    ]
    for zone, day, wall_time, instant in facts:
        (found,) = expected(content_of(zone), [date.fromisoformat(day)], wall_time)
        assert found == datetime.fromisoformat(instant), zone
