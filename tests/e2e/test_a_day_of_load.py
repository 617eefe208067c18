"""A whole calendar day in a quarter of a minute: steady, rising, heavy, and with a spike in it."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.town import AUTHORIZATION, BIRTHDAY, Town, a_town, until

CALENDAR_RATE = 7200
"""Two calendar hours pass in a second."""
HOUR_S = 3600 / CALENDAR_RATE
PREPARATION_S = 20.0
IN_FLIGHT_LIMIT = 150
BATCH_SIZE, LANES = 50, 2
ANSWERED_WITHIN_S = 1.0

FIRST_NINE = datetime(2027, 3, 9, 19, tzinfo=UTC)
"""When it is nine on the birthday where the day begins first, fourteen hours ahead of UTC."""
ZONES = [f"Etc/GMT{-offset:+d}" for offset in range(14, -13, -1)]
"""One of each whole hour, in the order in which it is nine there."""
STEADY = 6
"""In half a second: a million in 24 hours are 11.5 in a second."""
RAMP = range(8, 12)
HEAVY = range(12, 17)
SPIKE = 18
PEOPLE = [STEADY] * len(ZONES)
"""How many are greeted in each zone."""
PEOPLE[RAMP.start : RAMP.stop] = [12, 25, 38, 50]
PEOPLE[HEAVY.start : HEAVY.stop] = [50] * len(HEAVY)
PEOPLE[SPIKE] = 500


class Day:
    """What arrived in a day: for each zone, how late each of its mails was, in real seconds."""

    def __init__(self, begins_s: float) -> None:
        self.begins_s = begins_s
        self.late_s: list[list[float]] = [[] for _ in ZONES]
        self.in_flight: list[int] = []
        self.totals: dict[str, int] = {}
        self.duplicates = -1

    def note(self, mails: list[dict[str, Any]]) -> None:
        """Take in what the inbox lists."""
        for mail in mails:
            hour = int(mail["to"].partition("@")[0].split("-")[1])
            self.late_s[hour].append(mail["accepted_at"] - self.begins_s - hour * HOUR_S)

    def p95_s(self, hours: range) -> float:
        """Return how late 95 in 100 of some zones' mails were at most."""
        lates = sorted(late for hour in hours for late in self.late_s[hour])
        return lates[int(len(lates) * 0.95) - 1]


@pytest.fixture(scope="module")
async def day(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Day]:
    """Let the day pass, once for all tests."""
    folder = tmp_path_factory.mktemp("day")
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await town.start("user", env={"JUBILEE_CLOCK": "2027-03-08T00:00:00Z;rate=0"})
        await everyone_is_imported(town)
        seen = Day(time.time() + PREPARATION_S)
        clock = f"{FIRST_NINE:%Y-%m-%dT%H:%M:%SZ};rate={CALENDAR_RATE};since={seen.begins_s:.3f}"
        env = {
            "JUBILEE_CLOCK": clock,
            "PLANNER_IN_FLIGHT_LIMIT": str(IN_FLIGHT_LIMIT),
            "PLANNER_RELEASE_BATCH_SIZE": str(BATCH_SIZE),
            "PLANNER_RELEASE_LANES": str(LANES),
        }
        for name in ("planner", "dispatcher"):
            await town.start(name, env=env, is_awaited=False)
        await until(lambda: everyone_is_planned(town), timeout_s=PREPARATION_S)
        assert time.time() < seen.begins_s
        watching = asyncio.create_task(watch(town, seen))
        seen.totals = await town.settled(sum(PEOPLE), timeout_s=90)
        watching.cancel()
        seen.duplicates = (await town.inbox_stats())["duplicates"]
        for page in (-1, 999):
            async with town.session.get(
                f"{town.inbox_url}/api/messages?limit=1000&after={page}"
            ) as answer:
                seen.note((await answer.json())["messages"])
        yield seen


async def everyone_is_imported(town: Town) -> None:
    people = [
        {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": f"ada-{hour}-{number}@example.com",
            "timezone": zone,
            "birthday": f"1990-{BIRTHDAY[5:]}",
        }
        for hour, zone in enumerate(ZONES)
        for number in range(PEOPLE[hour])
    ]
    body = "".join(f"{json.dumps(person)}\n" for person in people)
    headers = AUTHORIZATION | {"Content-Type": "application/x-ndjson"}
    url = f"{town.system.url('user')}/v1/users/import"
    async with town.session.post(url, data=body, headers=headers) as answer:
        text = await answer.text()
    assert text.count('"created"') == len(people), text[:500]


async def everyone_is_planned(town: Town) -> bool | None:
    row = await town.ask("planner", "SELECT count(*) FROM plan WHERE local_day = '2027-03-10'")
    return row[0] == sum(PEOPLE) or None


async def watch(town: Town, seen: Day) -> None:
    """Count now and then how many were released and not answered."""
    while True:
        row = await town.ask("planner", "SELECT count(*) FROM plan WHERE state = 'released'")
        seen.in_flight.append(row[0])
        await asyncio.sleep(0.1)


@pytest.mark.edge_case("EC-PF-001")
async def test_everyone_is_greeted_once_on_a_day_with_a_million_birthdays_scaled(
    day: Day,
) -> None:
    assert (day.totals["owed"], day.totals["accepted"]) == (sum(PEOPLE), sum(PEOPLE))
    assert day.duplicates == 0
    assert [len(late) for late in day.late_s] == PEOPLE


@pytest.mark.edge_case("EC-PF-002")
async def test_at_a_hundred_in_a_second_hardly_anyone_waits_a_second(day: Day) -> None:
    assert day.p95_s(HEAVY) < ANSWERED_WITHIN_S


@pytest.mark.edge_case("EC-PF-003")
async def test_from_none_to_a_hundred_in_a_second_mails_follow_at_every_step(day: Day) -> None:
    steps = [day.p95_s(range(hour, hour + 1)) for hour in RAMP]
    assert max(steps) < ANSWERED_WITHIN_S


@pytest.mark.edge_case("EC-PF-004")
async def test_a_spike_is_let_through_no_faster_than_it_is_answered(day: Day) -> None:
    assert len(day.late_s[SPIKE]) == PEOPLE[SPIKE] > 3 * IN_FLIGHT_LIMIT
    assert 0 < max(day.in_flight) <= IN_FLIGHT_LIMIT


@pytest.mark.edge_case("EC-PF-005")
async def test_the_same_birthday_is_spread_over_the_day_by_where_people_are(day: Day) -> None:
    firsts = [min(late) for late in day.late_s]
    assert min(firsts) >= 0, "nobody is greeted before nine"
    span = timedelta(seconds=(len(ZONES) - 1) * HOUR_S * CALENDAR_RATE)
    assert span == timedelta(hours=26)
    assert max(firsts) * CALENDAR_RATE < span.total_seconds()
