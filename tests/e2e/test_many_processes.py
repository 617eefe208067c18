"""Two planners and three dispatchers at once, some of them killed: nothing changes."""

import asyncio
import time
from pathlib import Path

from tests.support.town import BEFORE_NINE, BIRTHDAY, Town, a_town, until

PEOPLE = 600
PLANNERS = ("planner-1", "planner-2")
DISPATCHERS = ("dispatcher-1", "dispatcher-2", "dispatcher-3")


async def everyone_registers(town: Town) -> None:
    await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
    for first in range(0, PEOPLE, 50):
        await asyncio.gather(*(town.register(number) for number in range(first, first + 50)))


async def some_mail_arrived(town: Town) -> None:
    async def look() -> bool | None:
        return (await town.inbox_stats())["count"] > 0 or None

    await until(look)


async def test_two_planners_and_three_dispatchers_change_nothing_in_the_ledger(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await everyone_registers(town)
        await town.misbehave(latency_ms=[5, 15])
        # The planner's port is asked for the ledger below, so one of them bears the plain name.
        for name in ("planner", *PLANNERS[1:], *DISPATCHERS):
            await town.start(name, env={"PLANNER_RELEASE_BATCH_SIZE": "50"}, is_awaited=False)
        await some_mail_arrived(town)
        for name in ("dispatcher-1", "planner-2"):
            town.system.kill(name)
            await town.restart(name)
        totals = await town.settled(PEOPLE, timeout_s=120)
        stats = await town.inbox_stats()
        assert (totals["accepted"], stats["count"], stats["duplicates"]) == (PEOPLE, PEOPLE, 0)


async def test_no_mail_arrives_before_its_instant_and_none_late(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        for number in range(20):
            await town.register(number)
        due_s = time.time() + 15
        clock = {"JUBILEE_CLOCK": f"{BIRTHDAY}T09:00:00Z;rate=1;since={due_s:.6f}"}
        for name in ("planner", "dispatcher"):
            await town.start(name, env=clock)

        async def look() -> bool | None:
            return (await town.ledger())["pending"] == 20 or None

        await until(look, timeout_s=10)
        await town.settled(20)
        stats = await town.inbox_stats()
        assert due_s <= stats["first_s"]
        assert stats["last_s"] < due_s + 5
