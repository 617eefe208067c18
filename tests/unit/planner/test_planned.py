"""What becomes of planned occurrences when their people change."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.kinds import KINDS
from contracts.kinds.birthday import BIRTHDAY
from services.planner.domain.account import Entry, totals
from services.planner.domain.celebration import celebrations_of
from services.planner.domain.horizon import days_to_open, last_closable_day, last_due_day
from services.planner.domain.planned import (
    Change,
    Planned,
    decide_anew,
    reschedule,
    return_pause_s,
)
from services.planner.domain.state import State
from tests.support.recipients import a_recipient, changed, day, utc

DAY = day("2026-06-14")
DUE_AT = utc("2026-06-14 07:00")
BORN = a_recipient(birthday="1990-06-14")
NOW = utc("2026-06-14 10:00")


def a_row(**given: Any) -> Planned:
    known: dict[str, Any] = {
        "local_day": DAY,
        "person_id": BORN.person_id,
        "kind": "birthday",
        "state": "waiting",
        "release": 0,
        "due_at": DUE_AT,
        "release_at": DUE_AT,
        "person_version": 1,
    }
    return Planned(**known | given)


def test_moving_changes_the_instant_of_the_same_occurrence() -> None:
    change = reschedule(a_row(), changed(BORN, zone="America/New_York"), BIRTHDAY)
    assert change is not None
    assert (change.state, change.due_at) == ("waiting", utc("2026-06-14 13:00"))
    assert (change.release_at, change.person_version) == (change.due_at, 2)
    assert change.expires_at == utc("2026-06-16 13:00")


def test_moving_east_past_nine_makes_it_due_in_the_past() -> None:
    change = reschedule(a_row(), changed(BORN, zone="Asia/Tokyo"), BIRTHDAY)
    assert change is not None
    assert (change.state, change.release_at) == ("waiting", utc("2026-06-14 00:00"))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param({"birthday": "1990-06-15"}, id="moved"),
        pytest.param({"birthday": None}, id="removed"),
        pytest.param({"birthday": "2027-06-14"}, id="corrected into the future"),
    ],
)
def test_a_date_that_moved_away_cancels(given: dict[str, Any]) -> None:
    change = reschedule(a_row(), changed(BORN, **given), BIRTHDAY)
    assert change is not None
    assert (change.state, change.reason) == ("cancelled", "date_changed")


@pytest.mark.parametrize(
    "person",
    [
        pytest.param(changed(BORN, is_active=False), id="deleted"),
        pytest.param(changed(BORN, opt_outs=("birthday",), birthday=None), id="opted out"),
        pytest.param(changed(BORN, schedule_version=1, zone="Asia/Tokyo"), id="schedule as before"),
    ],
)
def test_who_is_judged_at_the_release_stays_planned(person: Any) -> None:
    assert reschedule(a_row(), person, BIRTHDAY) is None


def test_a_deferred_row_that_moves_still_waits_for_its_retry() -> None:
    row = a_row(state="deferred", release=1, release_at=utc("2026-06-14 07:30"))
    change = reschedule(row, changed(BORN, zone="Asia/Tokyo"), BIRTHDAY)
    assert change is not None
    assert (change.state, change.release_at) == ("deferred", utc("2026-06-14 07:30"))


@pytest.mark.parametrize(
    ("person", "state", "reason"),
    [
        pytest.param(None, "suppressed", "user_removed", id="nobody"),
        pytest.param(changed(BORN, is_active=False), "suppressed", "user_removed", id="deleted"),
        pytest.param(changed(BORN, opt_outs=("birthday",)), "suppressed", "opted_out", id="out"),
        pytest.param(changed(BORN, birthday=None), "cancelled", "date_changed", id="removed"),
        pytest.param(BORN, "waiting", None, id="as before"),
    ],
)
def test_a_returned_release_is_decided_by_what_the_person_is_now(
    person: Any, state: State, reason: str | None
) -> None:
    row = a_row(state="released", release=1)
    change = decide_anew(row, person, BIRTHDAY, earliest_at=NOW)
    assert (change.state, change.reason) == (state, reason)


def test_a_returned_release_waits_a_moment_and_never_goes_before_its_instant() -> None:
    row = a_row(state="released", release=1)
    assert _anew(row, earliest_at=NOW).release_at == NOW
    assert _anew(row, earliest_at=DUE_AT - timedelta(hours=1)).release_at == DUE_AT


def test_a_kind_that_is_gone_is_not_greeted() -> None:
    row = a_row(state="released", release=1)
    change = decide_anew(row, BORN, None, earliest_at=NOW)
    assert (change.state, change.reason) == ("suppressed", "kind_unknown")


def test_returns_wait_longer_each_time() -> None:
    assert [return_pause_s(release) for release in (1, 2, 3, 9, 99)] == [1, 2, 4, 60, 60]


def test_celebrations_are_filed_per_kind_that_has_its_date() -> None:
    person = a_recipient(birthday="1990-06-14", anniversary="--02-29")
    filed = {(one.kind, one.bucket, one.origin) for one in celebrations_of(person, KINDS.values())}
    assert filed == {("birthday", 614, date(1990, 6, 14)), ("anniversary", 229, None)}


@pytest.mark.parametrize("given", [{"is_active": False}, {"opt_outs": ("birthday",)}])
def test_nothing_is_filed_for_who_is_away_or_opted_out(given: dict[str, Any]) -> None:
    person = msgspec.structs.replace(BORN, **given)
    assert celebrations_of(person, KINDS.values()) == []


@given(st.dates(date(2026, 1, 1), date(2026, 12, 31)), st.integers(-30, 10), st.integers(1, 9))
def test_no_day_is_left_out_between_two_openings(today: date, since: int, horizon: int) -> None:
    last = today + timedelta(days=since)
    opened = days_to_open(today, last_opened=last, horizon_days=horizon)
    wanted = max((today - last).days + horizon, 0)
    assert opened == [last + timedelta(days=1 + offset) for offset in range(wanted)]


def test_a_first_start_opens_what_may_still_be_sent() -> None:
    opened = days_to_open(DAY, last_opened=None, horizon_days=4)
    assert (opened[0], opened[-1]) == (day("2026-06-12"), day("2026-06-18"))


def test_a_day_closes_only_after_its_last_late_limit() -> None:
    last_expiry = datetime(2026, 6, 14, 9, tzinfo=UTC) + timedelta(hours=12 + 48)
    assert last_closable_day(last_expiry, KINDS.values()) < DAY
    assert last_closable_day(last_expiry + timedelta(days=3), KINDS.values()) >= DAY


def test_the_first_nine_on_earth_belongs_to_tomorrow() -> None:
    assert last_due_day(utc("2026-06-13 19:00")) == DAY


def test_the_account_balances() -> None:
    states: list[State] = ["waiting", "released", "deferred", "accepted", "refused", "unknown"]
    states += ["suppressed", "expired", "cancelled"]
    entries = [Entry(DAY, "birthday", state, None, 2) for state in states]
    found = totals(entries)
    assert (found.owed, found.pending, found.failed) == (18, 6, 2)
    rest = found.accepted + found.failed + found.suppressed + found.expired
    assert found.owed == rest + found.cancelled + found.unknown + found.pending


def _anew(row: Planned, *, earliest_at: datetime) -> Change:
    return decide_anew(row, BORN, BIRTHDAY, earliest_at=earliest_at)
