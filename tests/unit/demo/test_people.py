"""The population covers what the demo claims, and its expectations follow the calendar."""

from collections import Counter
from datetime import UTC, date, datetime

import pytest

from deploy.demo.people import DEMO_DAY, DemoPerson, owed_on, population
from libs.localtime import zone_names

PEOPLE = population(6000)
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def _person(**fields: str | tuple[str, ...]) -> DemoPerson:
    known: dict[str, str | tuple[str, ...]] = {
        "external_id": "demo-1", "first_name": "Ada", "last_name": "Lovelace",
        "email": "ada@one.example", "timezone": "Asia/Jakarta", "locale": "en",
    }  # fmt: skip
    return DemoPerson(**(known | fields))  # type: ignore[arg-type]


def test_same_seed_gives_the_same_people() -> None:
    assert population(200, seed=5) == population(200, seed=5)
    assert population(200, seed=5) != population(200, seed=6)


def test_every_zone_has_several_people_and_something_owed() -> None:
    living_in = Counter(person.timezone for person in PEOPLE)
    owed_in = {expected.zone for expected in owed_on(PEOPLE, DEMO_DAY, since=LONG_AGO)}
    assert set(living_in) == set(zone_names()) == owed_in
    assert min(living_in.values()) >= 5


def test_addresses_and_external_ids_are_unique() -> None:
    assert len({person.email for person in PEOPLE}) == len(PEOPLE)
    assert len({person.external_id for person in PEOPLE}) == len(PEOPLE)


def test_more_than_5000_mails_are_owed_and_some_people_get_none() -> None:
    owed = owed_on(PEOPLE, DEMO_DAY, since=LONG_AGO)
    assert len(owed) > 5000
    assert len({expected.external_id for expected in owed}) < len(PEOPLE) - 500
    assert {expected.kind for expected in owed} == {"birthday", "anniversary"}


def test_names_come_in_many_scripts() -> None:
    letters = {character for person in PEOPLE for character in person.first_name}
    for letter in "aЮΣفשआก花伟민🎂":
        assert letter in letters


@pytest.mark.parametrize(
    ("fields", "day", "texts"),
    [
        pytest.param(
            {"birthday": "1990-02-28"},
            DEMO_DAY,
            ["Hey, Ada Lovelace it's your birthday"],
            id="birthday",
        ),
        pytest.param(
            {"anniversary": "2026-02-28"},
            DEMO_DAY,
            ["Hey, Ada Lovelace it's your anniversary: 1 year"],
            id="first anniversary",
        ),
        pytest.param(
            {"anniversary": "--02-28"},
            DEMO_DAY,
            ["Hey, Ada Lovelace it's your anniversary"],
            id="anniversary of an unknown year",
        ),
        pytest.param({"anniversary": "2028-02-28"}, DEMO_DAY, [], id="not before it began"),
        pytest.param(
            {"birthday": "1992-02-29"},
            DEMO_DAY,
            ["Hey, Ada Lovelace it's your birthday"],
            id="leap day, common year",
        ),
        pytest.param(
            {"birthday": "1992-02-29", "leap_day": "mar1"}, DEMO_DAY, [], id="waits for March"
        ),
        pytest.param(
            {"birthday": "1992-02-29", "leap_day": "mar1"},
            date(2028, 2, 29),
            ["Hey, Ada Lovelace it's your birthday"],
            id="leap day, leap year",
        ),
        pytest.param({"birthday": "1992-02-29"}, date(2028, 2, 28), [], id="leap year, day before"),
        pytest.param(
            {"birthday": "1990-02-28", "opt_outs": ("birthday",)}, DEMO_DAY, [], id="opted out"
        ),
    ],
)
def test_expectation_follows_the_calendar(
    fields: dict[str, str | tuple[str, ...]], day: date, texts: list[str]
) -> None:
    owed = owed_on([_person(**fields)], day, since=LONG_AGO)
    assert [expected.text for expected in owed] == texts


def test_greeting_is_due_at_nine_where_the_person_is() -> None:
    [expected] = owed_on([_person(birthday="1990-02-28")], DEMO_DAY, since=LONG_AGO)
    assert expected.due_at == datetime(2027, 2, 28, 2, tzinfo=UTC)


def test_nothing_is_owed_for_an_instant_before_the_registration() -> None:
    after_nine = datetime(2027, 2, 28, 2, 0, 1, tzinfo=UTC)
    assert owed_on([_person(birthday="1990-02-28")], DEMO_DAY, since=after_nine) == []
