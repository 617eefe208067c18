"""Years that end, clocks that change, zones with odd offsets: through the whole planner."""

from collections import Counter
from datetime import date, datetime, timedelta

import pytest

from libs.clock import FrozenClock
from libs.localtime import zone_names
from services.planner.domain.recipient import Recipient
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, day, utc

ODD_ZONES = {
    "Asia/Kolkata": "03:30",
    "Asia/Kathmandu": "03:15",
    "Australia/Adelaide": "23:30",
    "Australia/Eucla": "00:15",
    "Australia/Lord_Howe": "22:30",
    "Pacific/Chatham": "20:15",
    "Pacific/Marquesas": "18:30",
    "America/St_Johns": "11:30",
    "Asia/Yangon": "02:30",
    "Asia/Kabul": "04:30",
}


async def planned_from(world: World, start: str, *people: Recipient) -> None:
    world.clock = FrozenClock(utc(start))
    await world.project(*people)
    await world.plan()


@pytest.mark.parametrize(
    ("field", "date_text", "zone", "local_day", "due_at", "years"),
    [
        pytest.param(
            "birthday", "1990-01-01", "Pacific/Kiritimati", "2027-01-01", "2026-12-31 19:00", 37,
            id="EC-BD-006 new year, first on earth",
        ),
        pytest.param(
            "birthday", "1990-01-01", "Etc/GMT+12", "2027-01-01", "2027-01-01 21:00", 37,
            id="EC-BD-006 new year, last on earth",
        ),
        pytest.param(
            "birthday", "1990-12-31", "Etc/GMT+12", "2026-12-31", "2026-12-31 21:00", 36,
            id="EC-BD-007 old year, last on earth",
        ),
        pytest.param(
            "anniversary", "2020-12-31", "Pacific/Apia", "2026-12-31", "2026-12-30 20:00", 6,
            id="EC-AN-013 old year, far east",
        ),
        pytest.param(
            "anniversary", "2020-01-01", "Pacific/Apia", "2027-01-01", "2026-12-31 20:00", 7,
            id="EC-AN-013 new year, far east",
        ),
    ],
)  # fmt: skip
async def test_the_year_ends_where_the_person_is(
    world: World, field: str, date_text: str, zone: str, local_day: str, due_at: str, years: int
) -> None:
    person = a_recipient(zone=zone, **{field: date_text})
    await planned_from(world, "2026-12-29 12:00", person)
    row = await world.row(person, day(local_day), field)
    assert (row["due_at"], row["years"]) == (utc(due_at), years)
    assert row["period"] == date(int(local_day[:4]), 1, 1)
    world.clock.set(utc(due_at) - timedelta(seconds=1))
    assert await world.release() == []
    (request,) = await world.release_at(due_at)
    assert (request.local_day, request.kind) == (day(local_day), field)


@pytest.mark.edge_case("EC-AN-005")
@pytest.mark.parametrize(
    ("leap_day", "start", "local_day", "years"),
    [
        pytest.param("feb28", "2027-02-26 12:00", "2027-02-28", 7, id="feb28, common year"),
        pytest.param("mar1", "2027-02-26 12:00", "2027-03-01", 7, id="mar1, common year"),
        pytest.param("feb28", "2028-02-26 12:00", "2028-02-29", 8, id="feb28, leap year"),
        pytest.param("mar1", "2028-02-26 12:00", "2028-02-29", 8, id="mar1, leap year"),
    ],
)
async def test_an_anniversary_on_29_february_follows_the_wish(
    world: World, leap_day: str, start: str, local_day: str, years: int
) -> None:
    person = a_recipient(anniversary="2020-02-29", leap_day=leap_day)
    await planned_from(world, start, person)
    assert {key[0] for key in await world.planned()} == {day(local_day)}
    assert (await world.row(person, day(local_day), "anniversary"))["years"] == years


@pytest.mark.edge_case("EC-AN-007", "EC-TZ-018", "EC-TZ-016")
@pytest.mark.parametrize(
    ("zone", "local_day", "due_at"),
    [
        pytest.param("Europe/Berlin", "2026-03-29", "2026-03-29 07:00", id="spring"),
        pytest.param("Europe/Berlin", "2026-10-25", "2026-10-25 08:00", id="autumn"),
        pytest.param("Australia/Lord_Howe", "2026-10-04", "2026-10-03 22:00", id="half an hour"),
        pytest.param("America/Santiago", "2026-09-06", "2026-09-06 12:00", id="at midnight"),
    ],
)
async def test_a_day_on_which_clocks_change_is_a_day_like_any_other(
    world: World, zone: str, local_day: str, due_at: str
) -> None:
    person = a_recipient(zone=zone, anniversary=f"2016{local_day[4:]}")
    await planned_from(world, f"{day(local_day) - timedelta(days=2)} 12:00", person)
    row = await world.row(person, day(local_day), "anniversary")
    assert (row["due_at"], row["years"]) == (utc(due_at), 10)
    assert len(await world.release_at(due_at)) == 1


@pytest.mark.edge_case("EC-TZ-011", "EC-TZ-012", "EC-TZ-013", "EC-TZ-014", "EC-TZ-015")
async def test_many_people_in_zones_with_odd_offsets_are_all_released_at_their_nine(
    world: World,
) -> None:
    people = [
        a_recipient(zone=zone, birthday="1990-06-15") for zone in ODD_ZONES for _ in range(25)
    ]
    await planned_from(world, "2026-06-13 12:00", *people)
    rows = await world.pool.fetch(
        "SELECT zone, to_char(due_at AT TIME ZONE 'UTC', 'HH24:MI') AS at, count(*) AS people"
        " FROM plan GROUP BY zone, due_at"
    )
    assert {(row["zone"], row["at"], row["people"]) for row in rows} == {
        (zone, at, 25) for zone, at in ODD_ZONES.items()
    }
    released = await world.release_at("2026-06-15 18:30")
    assert len(released) == len(people)


@pytest.mark.edge_case("EC-TZ-028", "EC-TZ-026", "EC-TZ-027", "EC-TZ-030")
async def test_the_load_of_a_day_spreads_over_all_its_hours(world: World) -> None:
    people = [a_recipient(zone=zone, birthday="1990-06-15") for zone in zone_names()]
    await planned_from(world, "2026-06-13 12:00", *people)
    rows = await world.pool.fetch("SELECT due_at, zone FROM plan ORDER BY due_at")
    assert len(rows) == len(people)
    assert rows[0]["due_at"] == utc("2026-06-14 19:00")
    assert rows[-1]["due_at"] == utc("2026-06-15 21:00")
    hours = Counter(hour_of(row["due_at"]) for row in rows)
    assert len(hours) == 27
    released: list[datetime] = []
    for offset in range(27):
        world.clock.set(utc("2026-06-14 19:59:59") + timedelta(hours=offset))
        released += [one.due_at for one in await world.release()]
        assert max(released) <= world.clock.now()
    assert len(released) == len(people)


def hour_of(at: datetime) -> datetime:
    return at.replace(minute=0)


@pytest.mark.edge_case("EC-TZ-029", "EC-BD-012")
async def test_the_utc_date_may_be_the_day_before(world: World) -> None:
    """Registered on 13 June by UTC, on the morning of the 14th on Kiritimati."""
    early, late = (
        a_recipient(birthday="1990-06-14", zone="Pacific/Kiritimati", active_since=utc(at))
        for at in ("2026-06-13 18:59", "2026-06-13 19:01")
    )
    await planned_from(world, "2026-06-13 18:50", early, late)
    assert {key[1] for key in await world.planned()} == {early.person_id}
