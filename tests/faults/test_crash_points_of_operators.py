"""What operators hold back, and the closing of a day: killed between any two of their steps.

The word and its news are one commit; the news may be told twice, under one id; the plan follows
from what is committed. So whoever asks again after a crash finds what was said, once.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import aio_pika
import msgspec

from contracts import topology
from tests.faults.proxy import Point
from tests.faults.victims import Victim, a_victim, count
from tests.support.town import BEFORE_NINE, BIRTHDAY, Town, a_town, until

NEXT_DAY = "2027-03-11"
DAYS_LATER = "2027-03-17T08:00:00Z;rate=0"
PLANNING = ("api", "project", "plan", "outcomes", "upkeep")


@asynccontextmanager
async def heard(town: Town, pattern: str) -> AsyncIterator[dict[str, Any]]:
    """Yield what is told from now on, by event id."""
    told: dict[str, Any] = {}
    connection = await aio_pika.connect(town.env["PLANNER_BROKER_URL"])
    async with connection, connection.channel() as channel:
        exchange = await channel.get_exchange(topology.EVENTS, ensure=False)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, pattern)

        async def keep(message: aio_pika.abc.AbstractIncomingMessage) -> None:
            for event in msgspec.json.decode(message.body):
                told[event["id"]] = event["data"]

        await queue.consume(keep, no_ack=True)
        yield told


class Cast(msgspec.Struct, frozen=True):
    """Who dies in this play."""

    api: Victim
    relay: Victim
    release: Victim
    dispatcher: Victim
    upkeep: Victim


async def test_what_operators_say_is_kept_whole_told_and_followed_whatever_dies(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town, AsyncExitStack() as stack:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        ada = await town.register(1)
        ben = await town.register(2, birthday="1990-03-11")
        later = {"JUBILEE_CLOCK": DAYS_LATER}
        cast = Cast(
            await stack.enter_async_context(a_victim(town, "planner-api", "api")),
            await stack.enter_async_context(a_victim(town, "planner-relay", "relay")),
            await stack.enter_async_context(a_victim(town, "planner-release", "release")),
            await stack.enter_async_context(a_victim(town, "dispatcher")),
            await stack.enter_async_context(a_victim(town, "planner-upkeep", "upkeep", env=later)),
        )
        await town.start("planner", roles=PLANNING)
        await cast.api.start()
        told = await stack.enter_async_context(heard(town, "plan.#"))

        pause_id = await it_is_said(town, cast)
        await it_is_told(town, cast, pause_id)
        await it_is_followed(town, cast, pause_id, ada)
        cancelled = await it_is_called_off(town, cast, ben)
        closings = await days_are_closed(town, cast)

        expected = {f"{pause_id}/paused", f"{pause_id}/resumed", cancelled}
        expected |= {f"{day}/1" for day in closings}

        async def all_told() -> bool | None:
            return told.keys() >= expected or None

        await until(all_told)
        assert told.keys() == expected
        assert [one["count"] for one in told[f"{BIRTHDAY}/1"]["account"]] == [1]


async def it_is_said(town: Town, cast: Cast) -> str:
    """A pause: it and its news, or neither; asked for again it is the same one."""
    async with cast.api.dying("INSERT INTO pauses", Point.BEFORE_COMMIT):
        await cast.api.hangs_up("POST", "/v1/pauses", {})
    assert await counts(town, "planner", "pauses", "outbox") == [0, 0]
    async with cast.api.dying("INSERT INTO pauses", Point.AFTER_COMMIT):
        await cast.api.hangs_up("POST", "/v1/pauses", {})
    status, pause = await town.call("POST", "planner-api", "/v1/pauses", body={})
    assert status == 200
    assert await counts(town, "planner", "pauses", "outbox") == [1, 1]
    pause_id: str = pause["pause_id"]
    return pause_id


async def it_is_told(town: Town, cast: Cast, pause_id: str) -> None:
    """Its news: published twice at worst, and taken in once."""
    await cast.dispatcher.start("INSERT INTO pauses", Point.AFTER_COMMIT)
    await cast.relay.start("UPDATE outbox_cursor", Point.BEFORE_STATEMENT)
    await cast.relay.died()
    await cast.dispatcher.died()
    await cast.relay.start()
    await cast.dispatcher.start()
    await becomes(town, "dispatcher", "pauses", f"pause_id = '{pause_id}' AND resumed_at IS NULL")
    assert await counts(town, "dispatcher", "pauses") == [1]


async def it_is_followed(town: Town, cast: Cast, pause_id: str, ada: str) -> None:
    """Ada is held back, and once it is resumed she is greeted, once."""
    await cast.release.start()
    await becomes(town, "planner", "plan", f"person_id = '{ada}' AND reason = 'paused'")
    resume = f"/v1/pauses/{pause_id}/resume"
    async with (
        cast.release.dying("SET release_at = greatest(plan.due_at", Point.BEFORE_COMMIT),
        cast.api.dying("UPDATE pauses SET resumed_at", Point.AFTER_COMMIT),
    ):
        await cast.api.hangs_up("POST", resume)
    status, ended = await town.call("POST", "planner-api", resume)
    assert (status, ended["pause_id"]) == (200, pause_id)
    assert (await town.settled(1))["accepted"] == 1
    assert [mail["to"] for mail in await town.mails()] == ["ada1@example.com"]


async def it_is_called_off(town: Town, cast: Cast, ben: str) -> str:
    """Ben's greeting of the next day ends, for the dispatcher too."""
    await becomes(town, "planner", "plan", f"person_id = '{ben}' AND state = 'waiting'")
    scope = {"person_id": ben, "first_day": NEXT_DAY, "last_day": NEXT_DAY}
    async with (
        cast.release.dying("reason = 'called_off', ask_at = NULL", Point.BEFORE_COMMIT),
        cast.api.dying("INSERT INTO cancellations", Point.AFTER_COMMIT),
    ):
        await cast.api.hangs_up("POST", "/v1/cancellations", scope)
    status, called_off = await town.call("POST", "planner-api", "/v1/cancellations", body=scope)
    assert status == 200
    await becomes(town, "planner", "plan", f"person_id = '{ben}' AND reason = 'called_off'")
    await becomes(town, "dispatcher", "cancellations", f"person_id = '{ben}'")
    assert await counts(town, "planner", "cancellations", "hold_work") == [1, 0]
    cancellation_id: str = called_off["cancellation_id"]
    return cancellation_id


async def days_are_closed(town: Town, cast: Cast) -> list[date]:
    """A day is closed and its account told, or neither; return the closed days."""
    await cast.upkeep.start("closings = closings + 1", Point.BEFORE_COMMIT)
    await cast.upkeep.died()
    assert await closed_days(town) == []
    await cast.upkeep.start("closings = closings + 1", Point.AFTER_COMMIT)
    await cast.upkeep.died()
    assert len(await closed_days(town)) == 1
    # By its clock the horizon is too short, so it never calls itself ready.
    await cast.upkeep.start(is_awaited=False)
    await becomes(town, "planner", "days", f"local_day = '{NEXT_DAY}' AND closed_at IS NOT NULL")
    assert await count(town, "planner", "days", "closings > 1") == 0
    days = await closed_days(town)
    assert date.fromisoformat(BIRTHDAY) in days
    return days


async def closed_days(town: Town) -> list[date]:
    [days] = await town.ask(
        "planner",
        "SELECT coalesce(array_agg(local_day), '{}') FROM days WHERE closed_at IS NOT NULL",
    )
    found: list[date] = days
    return found


async def counts(town: Town, service: str, *tables: str) -> list[int]:
    return [await count(town, service, table) for table in tables]


async def becomes(town: Town, service: str, table: str, where: str) -> None:
    """Wait until there is one such row."""

    async def look() -> bool | None:
        return await count(town, service, table, where) == 1 or None

    await until(look)
