"""Kinds as strategies, through the whole planner: every cadence, wall time, limit and promise."""

import logging
from datetime import date, time, timedelta
from typing import Any

import pytest

from contracts.kinds import KINDS, Cadence, Kind
from contracts.kinds.birthday import BIRTHDAY
from libs.clock import FrozenClock
from services.planner.app.filing import file_next_people, note_new_kinds
from services.planner.domain.origin import Origin
from services.planner.domain.recurrence import RECURRENCES
from services.planner.domain.recurrence.monthly import Monthly
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, utc

FRIDAY_13TH = "1990-07-13"  # also the weekday and the day of the month of 13 November 2026
OFFSETS = [timedelta(days=offset) for offset in range(-2, 5)]


def a_kind(cadence: Cadence, **given: Any) -> Kind:
    known = {"name": "other", "date_field": "birthday", "templates": BIRTHDAY.templates}
    return Kind(**(known | {"cadence": cadence} | given))


def moved_to(world: World, at: str, *kinds: Kind) -> None:
    """Begin at another time with other kinds."""
    world.clock = FrozenClock(utc(at))
    world.kinds = {kind.name: kind for kind in kinds}


async def days_planned(world: World, kind: str = "other") -> list[str]:
    return sorted(str(key[0]) for key in await world.planned() if key[2] == kind)


@pytest.mark.parametrize(
    ("cadence", "birthday", "days"),
    [
        pytest.param("yearly", "1990-11-14", ["2026-11-14"], id="yearly"),
        pytest.param("monthly", FRIDAY_13TH, ["2026-11-13"], id="monthly"),
        pytest.param("weekly", FRIDAY_13TH, ["2026-11-13"], id="weekly"),
        pytest.param(
            "daily",
            FRIDAY_13TH,
            [f"2026-11-{number}" for number in range(11, 18)],
            id="EC-ST-008 daily",
        ),
        pytest.param("once", "2026-11-15", ["2026-11-15"], id="EC-ST-009 once"),
        pytest.param("once", "1990-11-15", [], id="EC-ST-009 once and never again"),
    ],
)
async def test_every_cadence_is_planned_on_its_days(
    world: World, cadence: Cadence, birthday: str, days: list[str]
) -> None:
    moved_to(world, "2026-11-13 03:00", a_kind(cadence))
    await world.project(a_recipient(birthday=birthday))
    await world.plan()
    assert await days_planned(world) == days


@pytest.mark.edge_case("EC-BD-014")
async def test_a_monthly_kind_falls_on_the_last_day_of_a_short_month(world: World) -> None:
    moved_to(world, "2027-02-26 03:00", a_kind("monthly"))
    await world.project(a_recipient(birthday="1990-01-31"))
    await world.plan()
    assert await days_planned(world) == ["2027-02-28"]


@pytest.mark.edge_case("EC-ST-011")
@pytest.mark.parametrize("cadence", ["yearly", "monthly", "weekly", "daily", "once"])
async def test_wall_time_and_late_limit_are_the_kinds_own(world: World, cadence: Cadence) -> None:
    kind = a_kind(cadence, wall_time=time(18, 30), late_limit=timedelta(hours=6))
    moved_to(world, "2026-11-13 03:00", kind)
    person = a_recipient(birthday="2026-11-13", zone="Europe/Berlin")
    await world.project(person)
    await world.plan()
    assert await world.release_at("2026-11-13 17:29:59") == []
    (request,) = await world.release_at("2026-11-13 17:30")
    assert request.expires_at == utc("2026-11-13 23:30")
    expected = RECURRENCES[cadence].period_of(date(2026, 11, 13))
    assert (request.kind, request.period) == ("other", expected)


@pytest.mark.parametrize("cadence", ["yearly", "monthly", "weekly", "daily", "once"])
async def test_each_kind_expires_by_its_own_limit(world: World, cadence: Cadence) -> None:
    kind = a_kind(cadence, late_limit=timedelta(hours=1))
    moved_to(world, "2026-11-13 03:00", kind)
    person = a_recipient(birthday="2026-11-13", zone="UTC")
    await world.project(person)
    await world.plan()
    await world.release_at("2026-11-13 10:00:01")
    row = await world.row(person, day("2026-11-13"), "other")
    assert (row["state"], row["reason"]) == ("expired", "too_late")


@pytest.mark.edge_case("EC-AN-001", "EC-ST-010")
async def test_several_kinds_on_one_day_are_released_independently(world: World) -> None:
    moved_to(world, "2026-06-13 12:00", *KINDS.values(), a_kind("daily"))
    person = a_recipient(birthday="1990-06-14", anniversary="2015-06-14")
    await world.project(person)
    await world.plan()
    requests = await world.release_at("2026-06-14 07:00")
    today = {one.kind for one in requests if one.local_day == day("2026-06-14")}
    assert today == {"birthday", "anniversary", "other"}


@pytest.mark.edge_case("EC-ST-001", "EC-AN-002", "EC-AN-015")
async def test_a_week_after_registration_is_a_kind_like_any_other(world: World) -> None:
    welcome = a_kind("once", name="welcome", date_field="registered", offset_days=7)
    later = a_kind("once", name="second", date_field="registered", offset_days=8)
    moved_to(world, "2026-06-13 12:00", welcome, later)
    person = a_recipient(dates={"registered": "2026-06-07"}, active_since=utc("2026-06-07 20:00"))
    await world.project(person)
    await world.plan()
    assert await days_planned(world, "welcome") == ["2026-06-14"]
    assert await days_planned(world, "second") == ["2026-06-15"]
    moved = changed(person, zone="Asia/Tokyo")
    await world.project(moved)
    assert keys_of(await world.release_at("2026-06-14 00:00")) == [(person.person_id, 1)]


@pytest.mark.parametrize(
    ("origin", "days", "later"),
    [
        pytest.param(Origin(2026, 12, 28), 7, Origin(2027, 1, 4), id="into the next year"),
        pytest.param(Origin(None, 12, 28), 7, Origin(None, 1, 4), id="of unknown year"),
        pytest.param(Origin(2026, 2, 25), 7, Origin(2026, 3, 4), id="over a short February"),
        pytest.param(Origin(2026, 1, 3), -7, Origin(2025, 12, 27), id="before"),
        pytest.param(Origin(None, 2, 29), 0, Origin(None, 2, 29), id="not at all"),
    ],
)
def test_an_offset_moves_the_day_that_is_counted_from(
    origin: Origin, days: int, later: Origin
) -> None:
    assert origin.later(days) == later


class Failing(Monthly):
    """A rule that does not foresee a 13th."""

    def bucket_of(self, origin: Origin) -> int | None:
        return 2000 + origin.day + 0 // (origin.day - 13)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RECURRENCES, "monthly", Failing())


@pytest.mark.edge_case("EC-ST-005")
@pytest.mark.usefixtures("failing")
async def test_a_rule_that_fails_for_one_person_skips_that_person_alone(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    moved_to(world, "2026-06-13 03:00", *KINDS.values(), a_kind("monthly"))
    unlucky, lucky = a_recipient(birthday="1990-06-13"), a_recipient(birthday="1990-06-14")
    with caplog.at_level(logging.ERROR):
        await world.project(unlucky, lucky)
    await world.plan()
    assert await world.planned() == {
        (day("2026-06-13"), unlucky.person_id, "birthday"),
        (day("2026-06-14"), lucky.person_id, "birthday"),
        (day("2026-06-14"), lucky.person_id, "other"),
    }
    (skipped,) = [vars(record) for record in caplog.records if record.message == "person.skipped"]
    assert (skipped["person_id"], skipped["kind"]) == (str(unlucky.person_id), "other")
    assert (skipped["reason"], skipped["cause"]) == ("rule_failed", "ZeroDivisionError")


@pytest.mark.edge_case("EC-ST-005")
async def test_a_new_kind_that_fails_for_somebody_is_filed_for_everybody_else(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [a_recipient(birthday=f"1990-06-{number}") for number in (13, 14, 15)]
    await world.project(*people)
    await world.plan()
    monkeypatch.setitem(RECURRENCES, "monthly", Failing())
    kinds = {"other": a_kind("monthly")}
    await note_new_kinds(world.pool, kinds)
    while await file_next_people(world.pool, kinds, now=world.clock.now(), limit=2):
        pass
    assert await days_planned(world) == ["2026-06-14", "2026-06-15"]


@pytest.mark.edge_case("EC-ST-005")
async def test_a_row_whose_rule_has_come_to_fail_ends_and_is_listed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved_to(world, "2026-06-13 03:00", a_kind("monthly"))
    unlucky = a_recipient(birthday="1990-06-13", zone="America/New_York")
    await world.project(unlucky)
    await world.plan()
    (request,) = await world.release_at("2026-06-13 13:00")
    monkeypatch.setitem(RECURRENCES, "monthly", Failing())
    await world.hand_back(request)
    row = await world.row(unlucky, day("2026-06-13"), "other")
    assert (row["state"], row["reason"]) == ("suppressed", "rule_failed")
