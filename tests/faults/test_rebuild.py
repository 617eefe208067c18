"""Damaged projections are rebuilt from the log beside traffic, and nothing goes out twice."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncpg

from tests.support.town import BEFORE_NINE, BIRTHDAY, SECRET, Town, a_town, until

GREETED = 30
OTHERS = 30
KEYS = ("PLANNER_USER_API_KEY", "DISPATCHER_USER_API_KEY")
TODAY = date.fromisoformat(BIRTHDAY)

PLANNER_DAMAGE = (
    "DELETE FROM recipients WHERE person_id = ANY ($1)",
    "UPDATE recipients SET zone = 'Asia/Tokyo', dates = '{}' WHERE person_id = ANY ($1)",
    "UPDATE recipients SET version = 900, schedule_version = 900 WHERE person_id = ANY ($1)",
    "DELETE FROM celebrations WHERE person_id = ANY ($1)",
    "UPDATE celebrations SET bucket = 1231 WHERE person_id = ANY ($1)",
)
DISPATCHER_DAMAGE = (
    "DELETE FROM contacts WHERE person_id = ANY ($1)",
    "UPDATE contacts SET email = 'x@example.com', opt_outs = '{*}' WHERE person_id = ANY ($1)",
    "UPDATE contacts SET version = 900, schedule_version = 900 WHERE person_id = ANY ($1)",
)
STRANGER = "00000000-0000-7000-8000-00000000dead"
STRANGERS = {
    "planner": (
        "INSERT INTO recipients SELECT $1, 1, 1, is_active, zone, leap_day, active_since,"
        " dates, dates_since, opt_outs, opted_in_since FROM recipients LIMIT 1"
    ),
    "dispatcher": (
        "INSERT INTO contacts (person_id, version, schedule_version, state)"
        " VALUES ($1, 1, 1, 'deleted')"
    ),
}
TABLES = {
    "planner": ("recipients", "celebrations"),
    "dispatcher": ("contacts",),
}


@asynccontextmanager
async def database(town: Town, service: str) -> AsyncIterator["asyncpg.Connection[Any]"]:
    connection = await asyncpg.connect(town.env[f"{service.upper()}_DATABASE_URL"])
    try:
        yield connection
    finally:
        await connection.close()


async def state(town: Town, people: list[str]) -> list[list[str]]:
    """Return what is known of ``people``, and of the stranger, in every table."""
    found: list[list[str]] = []
    for service, tables in TABLES.items():
        async with database(town, service) as connection:
            for table in tables:
                query = f"SELECT t::text FROM {table} AS t WHERE person_id = ANY ($1)"  # noqa: S608
                rows = await connection.fetch(query, [*people, STRANGER])
                found.append(sorted(row["t"] for row in rows))
    return found


async def damage(town: Town, people: list[str]) -> None:
    for service, damages in (("planner", PLANNER_DAMAGE), ("dispatcher", DISPATCHER_DAMAGE)):
        async with database(town, service) as connection:
            for place, one in enumerate(damages):
                await connection.execute(one, people[place :: len(damages)])
            await connection.execute(STRANGERS[service], STRANGER)


async def rebuild(town: Town, service: str) -> str:
    url = town.system.url("user")
    env = os.environ | town.env | dict.fromkeys(KEYS, f"town.{SECRET}")
    env |= {"PLANNER_USER_URL": url, "DISPATCHER_USER_URL": url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", f"services.{service}", "rebuild",
        env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, failures = await process.communicate()
    assert process.returncode == 0, failures.decode()
    return told.decode()


async def rename_for_ever(town: Town, people: list[str]) -> None:
    round_number = 0
    while True:
        round_number += 1
        for person_id in people:
            await town.change(person_id, first_name=f"Ada{round_number}")


async def test_a_rebuild_beside_traffic_heals_and_sends_nothing_again(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        greeted = [await town.register(number) for number in range(GREETED)]
        others = [
            await town.register(GREETED + number, birthday="1980-11-02") for number in range(OTHERS)
        ]
        await asyncio.gather(town.start("planner"), town.start("dispatcher"))
        await town.projected(GREETED + OTHERS, GREETED + OTHERS)
        sound = await state(town, others)
        await damage(town, others)
        assert await state(town, others) != sound
        traffic = asyncio.create_task(rename_for_ever(town, greeted))
        told = await asyncio.gather(rebuild(town, "planner"), rebuild(town, "dispatcher"))
        assert all("done" in one for one in told)
        traffic.cancel()
        await asyncio.gather(traffic, return_exceptions=True)
        assert await state(town, others) == sound
        totals = await town.settled(GREETED)
        stats = await town.inbox_stats()
        assert (totals["accepted"], stats["count"], stats["duplicates"]) == (GREETED, GREETED, 0)

        [events] = await town.ask("user", "SELECT count(*) FROM events")
        await town.projected(GREETED + OTHERS, events)


async def test_a_lost_day_of_the_plan_is_planned_again_and_answered_from_the_records(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        await asyncio.gather(*(town.register(number) for number in range(GREETED)))
        await asyncio.gather(town.start("planner"), town.start("dispatcher"))
        assert (await town.settled(GREETED))["accepted"] == GREETED
        async with database(town, "planner") as connection:
            await connection.execute("DELETE FROM plan WHERE local_day = $1", TODAY)
        assert (await town.ledger())["owed"] == 0
        await rebuild(town, "planner")

        async def all_told() -> bool | None:
            return (await town.ledger())["accepted"] == GREETED or None

        await until(all_told)
        [releases] = await town.ask("planner", "SELECT max(release) FROM plan")
        stats = await town.inbox_stats()
        assert (releases, stats["count"], stats["duplicates"]) == (1, GREETED, 0)
