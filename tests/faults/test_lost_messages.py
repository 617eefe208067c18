"""Requests and outcomes that vanish on the way: the planner asks again under the same number."""

import asyncio
from pathlib import Path

import aio_pika

from contracts import topology
from tests.support.town import BEFORE_NINE, Town, a_town, until

PEOPLE = 8


async def everyone_is_released(town: Town) -> None:
    await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
    await asyncio.gather(*(town.register(number) for number in range(PEOPLE)))
    await town.start("dispatcher-contacts", roles=("contacts",))
    await town.start("planner")

    async def look() -> bool | None:
        row = await town.ask("planner", "SELECT count(*) FROM plan WHERE state = 'released'")
        return row[0] == PEOPLE or None

    await until(look)


async def purge(town: Town, queue: str) -> int:
    """Empty a queue, as a broker without its data would; return how many messages were lost."""
    connection = await aio_pika.connect(town.env["USER_BROKER_URL"])
    async with connection, connection.channel() as channel:
        declared = await channel.get_queue(queue, ensure=False)
        return (await declared.purge()).message_count or 0


async def everyone_was_greeted_once(town: Town) -> None:
    totals = await town.settled(PEOPLE)
    stats = await town.inbox_stats()
    assert (totals["accepted"], stats["count"], stats["duplicates"]) == (PEOPLE, PEOPLE, 0)


async def test_lost_requests_are_asked_for_again(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await everyone_is_released(town)
        assert await purge(town, topology.DISPATCHER_REQUESTS.name) >= 1
        await town.start("dispatcher", roles=("deliver", "settle", "relay"))
        await everyone_was_greeted_once(town)


async def test_lost_outcomes_are_told_again_and_nothing_is_sent_again(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await everyone_is_released(town)
        await town.system.stop("planner")
        await town.start("dispatcher", roles=("deliver", "settle", "relay"))

        async def look() -> bool | None:
            row = await town.ask(
                "dispatcher", "SELECT count(*) FROM delivery_events WHERE type = 'accepted'"
            )
            told = await town.ask(
                "dispatcher",
                "SELECT done @> last_value FROM outbox_cursor, outbox_position",
            )
            return (row[0] == PEOPLE and told[0]) or None

        await until(look)
        assert await purge(town, topology.PLANNER_OUTCOMES.name) >= 1
        await town.start("planner")
        await everyone_was_greeted_once(town)
