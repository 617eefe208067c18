"""Pauses and cancellations reach mails that are queued, within a second."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.town import BEFORE_NINE, BIRTHDAY, Town, a_town, after_nine, until

WITHIN_S = 1.0
"""What the product promises, from the answer of the API on."""
PEOPLE = 40


@pytest.fixture
async def town(pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path) -> AsyncIterator[Town]:
    """Yield a system whose planner has released everyone, while nobody delivers yet."""
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as system:
        await system.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        await system.start("planner", env={"JUBILEE_CLOCK": after_nine()})
        await system.start("dispatcher-contacts", roles=("contacts", "relay"))
        yield system


async def registered(town: Town) -> list[str]:
    """Register everyone and wait until their mails are in the queue."""
    people = [await town.register(number) for number in range(PEOPLE)]
    await town.projected(PEOPLE, PEOPLE)

    async def look() -> bool | None:
        row = await town.ask("planner", "SELECT count(*) FROM plan WHERE state = 'released'")
        return row[0] == PEOPLE or None

    await until(look)
    return people


async def reached(town: Town, table: str, *, since_s: float) -> float:
    """Return how long after ``since_s`` the dispatcher knew of the newest hold."""

    async def look() -> float | None:
        row = await town.ask("dispatcher", f"SELECT count(*) FROM {table}")  # noqa: S608
        return time.monotonic() - since_s if row[0] else None

    return await until(look)


async def deliver(town: Town) -> None:
    """Let the queued requests be delivered from now on."""
    await town.start(
        "dispatcher", roles=("deliver", "settle", "relay"), env={"JUBILEE_CLOCK": after_nine()}
    )


async def test_queued_mails_are_held_within_a_second_and_sent_once_when_resumed(
    town: Town,
) -> None:
    called_off, *people = await registered(town)
    day = {"first_day": BIRTHDAY, "last_day": BIRTHDAY, "person_id": called_off}
    held_s = {}
    for table, path, body in (
        ("cancellations", "/v1/cancellations", day),
        ("pauses", "/v1/pauses", {"kind": "birthday"}),
    ):
        started_s = time.monotonic()
        status, made = await town.call("POST", "planner", path, body=body)
        assert status == 200, made
        held_s[table] = await reached(town, table, since_s=started_s)
    assert max(held_s.values()) < WITHIN_S
    await deliver(town)

    async def all_held() -> bool | None:
        states = [await town.state(person) for person in people]
        return set(states) == {("waiting", "paused")} or None

    await until(all_held)
    assert await town.state(called_off) == ("cancelled", "called_off")
    assert await town.mails() == []
    # Nothing comes round again while it is paused.
    releases = "SELECT sum(release) FROM plan"
    before = await town.ask("planner", releases)
    await asyncio.sleep(2)
    assert await town.ask("planner", releases) == before

    status, ended = await town.call("POST", "planner", f"/v1/pauses/{made['pause_id']}/resume")
    assert (status, ended["resumed_by"]) == (200, "town")
    totals = await town.settled(PEOPLE)
    assert (totals["accepted"], totals["cancelled"]) == (PEOPLE - 1, 1)
    assert len(await town.mails()) == PEOPLE - 1
