"""Whether somebody is owed a greeting, and the word for why not."""

from datetime import datetime
from typing import Any

import pytest

from contracts.kinds import KINDS
from contracts.kinds.birthday import BIRTHDAY
from libs.localtime import zone_names
from services.planner.domain.decision import decide, next_decision
from services.planner.domain.horizon import first_instant
from tests.support.recipients import a_recipient, day, utc

DAY = day("2026-06-14")


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"birthday": "1990-06-14"}, None, id="owed"),
        pytest.param({"birthday": "--06-14"}, None, id="year unknown"),
        pytest.param({"birthday": "2026-06-14"}, None, id="EC-BD-021 born that day"),
        pytest.param({"birthday": "1990-06-14", "is_active": False}, "user_removed", id="gone"),
        pytest.param({}, "no_date", id="EC-BD-009 no birthday"),
        pytest.param({"birthday": "1990-06-15"}, "other_day", id="EC-BD-013 tomorrow"),
        pytest.param({"birthday": "2027-06-14"}, "before_date", id="before it happened"),
        pytest.param(
            {"birthday": "1990-06-14", "opt_outs": ("birthday",)}, "opted_out", id="opted out"
        ),
        pytest.param(
            {"birthday": "1990-06-14", "opt_outs": ("anniversary",)}, None, id="another kind"
        ),
        pytest.param(
            {"birthday": "1990-06-14", "active_since": utc("2026-06-14 07:00")},
            None,
            id="EC-BD-012 registered at 09:00 sharp",
        ),
        pytest.param(
            {"birthday": "1990-06-14", "active_since": utc("2026-06-14 07:00:01")},
            "known_too_late",
            id="EC-BD-012 registered after 09:00",
        ),
        pytest.param(
            {"birthday": "1990-06-14", "dates_since": {"birthday": utc("2026-06-14 08:00")}},
            "known_too_late",
            id="date set after 09:00",
        ),
        pytest.param(
            {"birthday": "1990-06-14", "dates_since": {"anniversary": utc("2026-06-14 08:00")}},
            None,
            id="another date set after 09:00",
        ),
        pytest.param(
            {"birthday": "1990-06-14", "opted_in_since": {"birthday": utc("2026-06-14 08:00")}},
            "known_too_late",
            id="opted in after 09:00",
        ),
    ],
)
def test_the_first_rule_that_refuses_gives_the_reason(
    given: dict[str, Any], reason: str | None
) -> None:
    decision = decide(a_recipient(**given), BIRTHDAY, DAY)
    assert (decision.reason, decision.is_owed) == (reason, reason is None)


@pytest.mark.parametrize(
    ("zone", "due_at"),
    [
        pytest.param("Asia/Kolkata", "2026-06-14 03:30", id="EC-TZ-011"),
        pytest.param("Australia/Adelaide", "2026-06-13 23:30", id="EC-TZ-012"),
        pytest.param("Asia/Kathmandu", "2026-06-14 03:15", id="EC-TZ-013"),
        pytest.param("Pacific/Chatham", "2026-06-13 20:15", id="EC-TZ-014"),
        pytest.param("Pacific/Kiritimati", "2026-06-13 19:00", id="EC-TZ-026"),
        pytest.param("Etc/GMT+12", "2026-06-14 21:00", id="EC-TZ-027"),
        pytest.param("America/New_York", "2026-06-14 13:00", id="summer time"),
        pytest.param("America/Santiago", "2026-06-14 13:00", id="EC-TZ-021 winter time"),
    ],
)
def test_due_at_nine_where_the_person_is(zone: str, due_at: str) -> None:
    person = a_recipient(birthday="1990-06-14", zone=zone)
    assert decide(person, BIRTHDAY, DAY).due_at == utc(due_at)


def test_a_skipped_day_keeps_its_name_and_is_due_on_the_next() -> None:
    person = a_recipient(birthday="1990-12-30", zone="Pacific/Apia", active_since=utc("2000-01-01"))
    decision = decide(person, BIRTHDAY, day("2011-12-30"))
    assert decision.is_owed
    assert decision.due_at == utc("2011-12-30 19:00")


@pytest.mark.parametrize(
    ("birthday", "local_day", "years"),
    [
        pytest.param("1990-06-14", "2026-06-14", 36, id="years"),
        pytest.param("2026-06-14", "2026-06-14", 0, id="EC-BD-021 none"),
        pytest.param("2025-06-14", "2026-06-14", 1, id="EC-BD-022 one"),
        pytest.param("--06-14", "2026-06-14", None, id="unknown"),
        pytest.param("1996-02-29", "2027-02-28", 31, id="EC-BD-024 29 February counts in full"),
    ],
)
def test_years_are_counted_from_the_date(birthday: str, local_day: str, years: int | None) -> None:
    assert decide(a_recipient(birthday=birthday), BIRTHDAY, day(local_day)).years == years


def test_a_refusal_tells_what_it_looked_at() -> None:
    registered_at = utc("2026-06-14 08:00")
    person = a_recipient(birthday="1990-06-14", active_since=registered_at)
    last = decide(person, BIRTHDAY, DAY).rules[-1]
    assert last.inputs["since"] == registered_at.isoformat()
    assert last.inputs["due_at"] == utc("2026-06-14 07:00").isoformat()


@pytest.mark.parametrize(
    ("now", "active_since", "local_day"),
    [
        pytest.param("2026-06-14 06:59", "2020-01-01", "2026-06-14", id="still today"),
        pytest.param("2026-06-14 07:00", "2020-01-01", "2026-06-14", id="this moment"),
        pytest.param("2026-06-14 07:01", "2020-01-01", "2027-06-14", id="next year"),
        pytest.param("2026-06-14 06:00", "2026-06-14 08:00", "2027-06-14", id="known too late"),
    ],
)
def test_the_next_occurrence_is_the_first_one_ahead(
    now: str, active_since: str, local_day: str
) -> None:
    person = a_recipient(birthday="1990-06-14", active_since=utc(active_since))
    decision = next_decision(person, BIRTHDAY, now=utc(now))
    assert decision is not None
    assert decision.local_day == day(local_day)


def test_who_opted_out_is_told_so_about_the_next_occurrence() -> None:
    person = a_recipient(birthday="1990-06-14", opt_outs=("birthday",))
    decision = next_decision(person, BIRTHDAY, now=utc("2026-01-01"))
    assert decision is not None
    assert decision.reason == "opted_out"


@pytest.mark.parametrize("given", [{}, {"birthday": "1990-06-14", "is_active": False}])
def test_without_person_or_date_nothing_comes_next(given: dict[str, Any]) -> None:
    assert next_decision(a_recipient(**given), BIRTHDAY, now=utc("2026-01-01")) is None


def test_nothing_of_a_day_is_due_before_its_first_instant() -> None:
    due: list[datetime | None] = [
        decide(a_recipient(birthday="1990-06-14", zone=zone), BIRTHDAY, DAY).due_at
        for zone in zone_names()
    ]
    assert min(at for at in due if at is not None) == first_instant(DAY, KINDS.values())
