"""Wall time -> instant: gaps, overlaps, skipped days, odd offsets."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs import localtime
from tests.support.zone_data import older_zone_data

NINE = time(9)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "day", "expected"),
    [
        pytest.param("Asia/Kolkata", "2026-06-14", "2026-06-14T03:30", id="EC-TZ-011"),
        pytest.param("Australia/Adelaide", "2026-06-14", "2026-06-13T23:30", id="EC-TZ-012"),
        pytest.param("Asia/Kathmandu", "2026-06-14", "2026-06-14T03:15", id="EC-TZ-013"),
        pytest.param("Pacific/Chatham", "2026-06-14", "2026-06-13T20:15", id="EC-TZ-014"),
        pytest.param("America/New_York", "2026-03-08", "2026-03-08T13:00", id="EC-TZ-018"),
        pytest.param("Pacific/Kiritimati", "2026-06-14", "2026-06-13T19:00", id="EC-TZ-026"),
        pytest.param("Etc/GMT+12", "2026-06-14", "2026-06-14T21:00", id="EC-TZ-027"),
        pytest.param("Pacific/Apia", "2011-12-30", "2011-12-30T19:00", id="EC-TZ-030 skipped day"),
        pytest.param("Pacific/Apia", "2011-12-31", "2011-12-30T19:00", id="day after it"),
        pytest.param("Pacific/Kwajalein", "1993-08-21", "1993-08-21T21:00", id="skipped 1993"),
        pytest.param("Pacific/Kiritimati", "2026-01-01", "2025-12-31T19:00", id="EC-TZ-029"),
        pytest.param("Pacific/Fakaofo", "2026-06-14", "2026-06-13T20:00", id="EC-TZ-030 Tokelau"),
        pytest.param("Pacific/Pago_Pago", "2026-06-14", "2026-06-14T20:00", id="EC-TZ-030 Samoa"),
        pytest.param("Europe/Moscow", "2026-06-14", "2026-06-14T06:00", id="EC-TZ-019 not +4"),
        pytest.param("America/Sao_Paulo", "2026-12-14", "2026-12-14T12:00", id="EC-TZ-020"),
        pytest.param("America/Santiago", "2026-12-14", "2026-12-14T12:00", id="EC-TZ-021 summer"),
        pytest.param("America/Santiago", "2026-06-14", "2026-06-14T13:00", id="EC-TZ-021 winter"),
        pytest.param("Asia/Tokyo", "2026-01-14", "2026-01-14T00:00", id="EC-TZ-022 winter"),
        pytest.param("Asia/Tokyo", "2026-07-14", "2026-07-14T00:00", id="EC-TZ-022 summer"),
        pytest.param("Pacific/Auckland", "2026-12-31", "2026-12-30T20:00", id="EC-TZ-023"),
        pytest.param("Pacific/Auckland", "2027-01-01", "2026-12-31T20:00", id="EC-TZ-023 after"),
        pytest.param("Europe/Berlin", "2039-07-01", "2039-07-01T07:00", id="EC-BD-018 after 2038"),
    ],
)
def test_nine_o_clock_is_where_the_person_is(zone: str, day: str, expected: str) -> None:
    assert localtime.instant_at(date.fromisoformat(day), NINE, zone) == utc(expected)


@pytest.mark.parametrize(
    ("wall_time", "day", "expected"),
    [
        pytest.param(time(2, 30), "2026-03-08", "2026-03-08T07:30", id="EC-TZ-016 gap"),
        pytest.param(time(1, 30), "2026-11-01", "2026-11-01T05:30", id="EC-TZ-017 overlap"),
        pytest.param(time(1, 30, fold=1), "2026-11-01", "2026-11-01T05:30", id="whatever is said"),
    ],
)
def test_a_gap_moves_forward_and_an_overlap_means_the_first(
    wall_time: time, day: str, expected: str
) -> None:
    instant = localtime.instant_at(date.fromisoformat(day), wall_time, "America/New_York")
    assert instant == utc(expected)


@pytest.mark.edge_case("EC-TZ-016", "EC-TZ-017")
@pytest.mark.parametrize(
    ("zone", "wall_time", "day", "expected"),
    [
        pytest.param("Australia/Lord_Howe", "02:15", "2026-10-04", "2026-10-03T15:45", id="gap"),
        pytest.param("Australia/Lord_Howe", "01:45", "2026-04-05", "2026-04-04T14:45", id="twice"),
        pytest.param("America/Nuuk", "23:30", "2023-10-28", "2023-10-29T01:30", id="zoneinfo errs"),
        pytest.param("Africa/Cairo", "00:00", "2026-04-24", "2026-04-23T22:00", id="midnight"),
        pytest.param("Pacific/Apia", "23:30", "2011-12-30", "2011-12-31T09:30", id="skipped day"),
    ],
)
def test_half_hours_midnights_and_skipped_days_follow_the_same_rule(
    zone: str, wall_time: str, day: str, expected: str
) -> None:
    found = localtime.instant_at(date.fromisoformat(day), time.fromisoformat(wall_time), zone)
    assert found == utc(expected)


@pytest.mark.parametrize("zone", ["Mars/Phobos", "../../etc/passwd", "EST", "Europe", ""])
def test_no_instant_is_made_up_for_what_is_no_zone(zone: str) -> None:
    with pytest.raises(localtime.UnknownZoneError):
        localtime.instant_at(date(2026, 6, 14), NINE, zone)


@pytest.mark.parametrize(
    ("zone", "behind"),
    [
        pytest.param("US/Eastern", "America/New_York", id="EC-TZ-008"),
        pytest.param("Europe/Kiev", "Europe/Kyiv", id="EC-TZ-008 renamed"),
        pytest.param("Asia/Calcutta", "Asia/Kolkata", id="EC-TZ-008 respelt"),
        pytest.param("Europe/Berlin", "Europe/Berlin", id="no alias"),
    ],
)
def test_an_alias_tells_the_zone_behind_it(zone: str, behind: str) -> None:
    assert localtime.aliased_zone(zone) == behind


def test_an_older_release_is_read_from_its_folder() -> None:
    older = older_zone_data()
    day = date(2026, 6, 14)
    assert older.instant_at(day, NINE, "America/Mexico_City") == utc("2026-06-14T14:00")
    assert localtime.instant_at(day, NINE, "America/Mexico_City") == utc("2026-06-14T15:00")
    assert set(localtime.zone_names()) - set(older.names) >= {"Europe/Kyiv"}


@given(
    zone=st.sampled_from(localtime.zone_names()),
    day=st.dates(date(2024, 1, 1), date(2037, 12, 31)),
    minute=st.integers(0, 24 * 60 - 1),
)
def test_an_instant_shows_its_wall_time_or_lies_behind_a_gap(
    zone: str, day: date, minute: int
) -> None:
    wall_time = time(minute // 60, minute % 60)
    instant = localtime.instant_at(day, wall_time, zone)
    shown = instant.astimezone(ZoneInfo(zone))
    naive = shown.replace(tzinfo=None)
    wanted = datetime.combine(day, wall_time)
    assert naive >= wanted
    # No earlier instant shows the wall time: of two it is the first.
    for hours_before in (1, 2, 3):
        before = (instant - timedelta(hours=hours_before)).astimezone(ZoneInfo(zone))
        assert before.replace(tzinfo=None) != wanted


@pytest.mark.parametrize(
    ("given_name", "expected"),
    [
        pytest.param("Europe/Berlin", "Europe/Berlin", id="EC-TZ-001"),
        pytest.param("eUROPE/bERLIN", "Europe/Berlin", id="EC-TZ-007"),
        pytest.param("us/eastern", "US/Eastern", id="EC-TZ-008"),
        pytest.param("utc", "UTC", id="UTC"),
    ],
)
def test_a_zone_is_spelt_as_the_zone_data_spell_it(given_name: str, expected: str) -> None:
    assert localtime.canonical_zone(given_name) == expected


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("EST5", id="EC-TZ-002 EST5"),
        pytest.param("EST5EDT", id="EC-TZ-002 EST5EDT"),
        pytest.param("+05:30", id="EC-TZ-002 offset"),
        pytest.param("UTC+3", id="EC-TZ-002 UTC+3"),
        pytest.param("Mars/Phobos", id="EC-TZ-003"),
        pytest.param("", id="EC-TZ-004"),
        pytest.param("../../etc/passwd", id="EC-TZ-006"),
        pytest.param("Europe/Berlin\n", id="EC-TZ-006 newline"),
        pytest.param("Europe/ Berlin", id="EC-TZ-009"),
        pytest.param("E" * 65, id="EC-TZ-010"),
        pytest.param("localtime", id="localtime"),
        pytest.param("Factory", id="Factory"),
        pytest.param("posixrules", id="posixrules"),
        pytest.param("right/UTC", id="right/UTC"),
        pytest.param("Europe", id="folder"),
    ],
)
def test_what_is_no_place_is_refused(name: str) -> None:
    with pytest.raises(localtime.UnknownZoneError):
        localtime.canonical_zone(name)


def test_zone_data_come_from_the_package_alone() -> None:
    import zoneinfo  # noqa: PLC0415

    assert zoneinfo.TZPATH == ()
    assert len(localtime.zone_names()) > 550
