"""What each command makes of a person."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from contracts.user_events import (
    USER_CHANGED,
    USER_DELETED,
    USER_ERASED,
    USER_REGISTERED,
    USER_RESTORED,
)
from services.user.domain.dates import latest_day
from services.user.domain.person import (
    Change,
    Person,
    RetentionOver,
    Tombstone,
    change_person,
    delete_person,
    erase_person,
    register_person,
    restore_person,
)
from tests.support.people import NOW, a_person, a_profile

LATER = NOW + timedelta(days=3)


def patched(person: Person, **fields: Any) -> Person:
    """Return the person after a change of ``fields`` at ``LATER``."""
    change = change_person(person, msgspec.structs.replace(person.profile, **fields), LATER)
    assert change is not None
    assert isinstance(change.after, Person)
    return change.after


def after(change: Change | RetentionOver | None) -> Person:
    """Return the person a command leaves."""
    assert isinstance(change, Change)
    assert isinstance(change.after, Person)
    return change.after


def test_registration_is_version_one() -> None:
    change = register_person(uuid4(), a_profile(birthday="1990-06-14"), NOW)
    person = after(change)
    assert (change.type, person.version, person.schedule_version) == (USER_REGISTERED, 1, 1)
    assert change.expected_version == 0
    assert person.active_since == NOW
    assert person.dates_since == {"birthday": NOW}


def test_nothing_changed_is_no_event() -> None:
    person = a_person(birthday="1990-06-14")
    assert change_person(person, person.profile, LATER) is None


@pytest.mark.parametrize(
    ("fields", "is_rescheduled"),
    [
        pytest.param({"first_name": "Augusta"}, False, id="name"),
        pytest.param({"email": "new@example.com"}, False, id="e-mail"),
        pytest.param({"opt_outs": ("birthday",)}, False, id="opt-out"),
        pytest.param({"timezone": "Asia/Tokyo"}, True, id="zone"),
        pytest.param({"birthday": "1990-06-15"}, True, id="birthday"),
        pytest.param({"anniversary": None}, True, id="anniversary removed"),
        pytest.param({"leap_day": "mar1"}, True, id="leap day"),
    ],
)
def test_schedule_version_follows_what_instants_are_made_of(
    fields: dict[str, Any],
    is_rescheduled: bool,
) -> None:
    person = a_person(birthday="1990-06-14", anniversary="2015-05-05")
    change = change_person(person, msgspec.structs.replace(person.profile, **fields), LATER)
    assert change is not None
    assert (change.type, change.changed) == (USER_CHANGED, tuple(fields))
    assert after(change).schedule_version == (2 if is_rescheduled else 1)


@pytest.mark.parametrize(
    ("before", "now_set", "since"),
    [
        pytest.param(None, "1990-06-14", {"birthday": LATER}, id="newly set"),
        pytest.param("1990-06-14", "1990-06-15", {"birthday": LATER}, id="other day"),
        pytest.param("1990-06-14", "1991-06-14", {"birthday": NOW}, id="year corrected"),
        pytest.param("--06-14", "1991-06-14", {"birthday": NOW}, id="year learnt"),
        pytest.param("1990-06-14", None, {}, id="removed"),
    ],
)
def test_date_counts_since_its_day_was_set(
    before: str | None, now_set: str | None, since: dict[str, datetime]
) -> None:
    assert patched(a_person(birthday=before), birthday=now_set).dates_since == since


def test_zone_change_leaves_since() -> None:
    person = a_person(birthday="1990-06-14")
    moved = patched(person, timezone="Asia/Tokyo")
    assert (moved.dates_since, moved.active_since) == (person.dates_since, person.active_since)


def test_zones_left_are_told_for_as_long_as_they_matter() -> None:
    moved = patched(a_person(timezone="America/New_York"), timezone="Asia/Tokyo")
    assert moved.zones_left == {"America/New_York": LATER}
    back = patched(moved, timezone="America/New_York")
    assert back.zones_left == {"Asia/Tokyo": LATER}
    renamed = msgspec.structs.replace(back.profile, first_name="Augusta")
    later = change_person(back, renamed, LATER + timedelta(days=5))
    assert after(later).zones_left == {}


def test_the_day_of_registration_is_where_the_person_is() -> None:
    at = datetime(2026, 6, 14, 22, 30, tzinfo=UTC)
    assert a_person(now=at, timezone="Europe/Berlin").registered == "2026-06-15"
    moved = patched(a_person(now=at, timezone="Europe/Berlin"), timezone="America/New_York")
    assert moved.registered == "2026-06-15"


def test_withdrawn_opt_out_counts_from_then() -> None:
    person = a_person(opt_outs=["anniversary", "birthday"])
    withdrawn = patched(person, opt_outs=("anniversary",))
    assert withdrawn.opted_in_since == {"birthday": LATER}
    assert patched(withdrawn, opt_outs=("birthday",)).opted_in_since == {"anniversary": LATER}


@pytest.mark.edge_case("EC-UD-017")
def test_deletion_and_restoration_reschedule() -> None:
    deletion = delete_person(a_person(), NOW)
    deleted = after(deletion)
    assert (deletion.type, deleted.status, deleted.schedule_version) == (USER_DELETED, "deleted", 2)
    restoration = restore_person(deleted, LATER, retention=timedelta(days=30))
    restored = after(restoration)
    assert isinstance(restoration, Change)
    assert restoration.type == USER_RESTORED
    assert (restored.status, restored.version, restored.schedule_version) == ("active", 3, 3)
    assert (restored.active_since, restored.deleted_at) == (LATER, None)


@pytest.mark.parametrize(
    ("elapsed", "is_possible"),
    [
        pytest.param(timedelta(days=30), True, id="on the last moment"),
        pytest.param(timedelta(days=30, seconds=1), False, id="a second later"),
    ],
)
def test_restoration_ends_with_the_retention_time(elapsed: timedelta, is_possible: bool) -> None:
    deleted = after(delete_person(a_person(), NOW))
    decision = restore_person(deleted, NOW + elapsed, retention=timedelta(days=30))
    assert isinstance(decision, Change) is is_possible


def test_living_person_needs_no_restoration() -> None:
    assert restore_person(a_person(), LATER, retention=timedelta(days=30)) is None


@pytest.mark.edge_case("EC-UD-020")
def test_erasure_leaves_a_tombstone() -> None:
    person = a_person()
    change = erase_person(person)
    assert change.type == USER_ERASED
    assert change.after == Tombstone(id=person.id, version=2, schedule_version=2)


@pytest.mark.edge_case("EC-TZ-029")
def test_today_is_the_latest_day_on_earth() -> None:
    """At 10:00 UTC it is midnight at UTC+14."""
    assert latest_day(datetime(2026, 6, 14, 9, 59, tzinfo=UTC)).isoformat() == "2026-06-14"
    assert latest_day(datetime(2026, 6, 14, 10, 0, tzinfo=UTC)).isoformat() == "2026-06-15"
