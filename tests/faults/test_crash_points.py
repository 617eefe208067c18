"""Every row of the crash table: the process dies exactly there, and nobody gets less or more."""

import asyncio
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest

from tests.faults.proxy import KillSwitch, Point, killing_proxy
from tests.faults.victims import count
from tests.support.town import BEFORE_NINE, Town, a_town

PEOPLE = 12
PROCESSES = ("user-relay", "planner", "dispatcher")
ROLES = {"user-relay": ("relay",)}


class Crash(msgspec.Struct, frozen=True):
    """Which process dies, and at which point of the transaction that runs ``sql``."""

    row: str
    victim: str
    sql: str
    point: Point


CRASHES = (
    Crash(
        "relay: publish and cursor move (user events)",
        "user-relay",
        "UPDATE outbox_cursor",
        Point.BEFORE_STATEMENT,
    ),
    Crash(
        "relay: publish and cursor move (outcomes)",
        "dispatcher",
        "UPDATE outbox_cursor",
        Point.BEFORE_STATEMENT,
    ),
    Crash(
        "projection commit and ack (planner)",
        "planner",
        "INSERT INTO recipients",
        Point.AFTER_COMMIT,
    ),
    Crash(
        "projection commit and ack (dispatcher)",
        "dispatcher",
        "INSERT INTO contacts",
        Point.AFTER_COMMIT,
    ),
    Crash("plan slice and the next", "planner", "UPDATE slices SET done_at", Point.AFTER_COMMIT),
    Crash(
        "publish and commit (release)",
        "planner",
        "released_at = CASE judged.verdict",
        Point.BEFORE_COMMIT,
    ),
    Crash("claim and provider call", "dispatcher", "INSERT INTO open_claims", Point.AFTER_COMMIT),
    Crash(
        "provider call and outcome",
        "dispatcher",
        "DELETE FROM open_claims WHERE open_claims.claim_id",
        Point.BEFORE_STATEMENT,
    ),
    Crash(
        "provider call and outcome, the outcome unsure",
        "dispatcher",
        "DELETE FROM open_claims WHERE open_claims.claim_id",
        Point.BEFORE_COMMIT,
    ),
    Crash(
        "outcome commit and ack",
        "dispatcher",
        "DELETE FROM open_claims WHERE open_claims.claim_id",
        Point.AFTER_COMMIT,
    ),
    Crash("outcome applied and ack", "planner", "SET state = 'accepted'", Point.AFTER_COMMIT),
)


async def everyone_registers(town: Town) -> None:
    await town.start("user", roles=("api",), env={"JUBILEE_CLOCK": BEFORE_NINE})
    await asyncio.gather(*(town.register(number) for number in range(PEOPLE)))


def database_of(process: str) -> str:
    return f"{process.split('-', maxsplit=1)[0].upper()}_DATABASE_URL"


async def everyone_was_greeted_once(town: Town) -> None:
    totals = await town.settled(PEOPLE)
    assert (totals["owed"], totals["accepted"]) == (PEOPLE, PEOPLE)
    addresses = [mail["to"] for mail in await town.mails()]
    assert sorted(addresses) == sorted(f"ada{number}@example.com" for number in range(PEOPLE))


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.row)
async def test_a_crash_between_two_steps_loses_nobody_and_greets_nobody_twice(
    crash: Crash, pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    switch = KillSwitch(crash.sql, crash.point)
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await everyone_registers(town)
        database = database_of(crash.victim)
        switch.kill = lambda: town.system.kill(crash.victim)
        async with killing_proxy(town.env[database], switch) as proxied:
            for name in PROCESSES:
                env = {database: proxied} if name == crash.victim else {}
                await town.start(name, roles=ROLES.get(name, ()), env=env, is_awaited=False)
            async with asyncio.timeout(60):
                await switch.fired.wait()
        await town.restart(crash.victim)
        # It may still be starting: until then nobody has a ledger.
        await town.system.ready("planner")
        await everyone_was_greeted_once(town)


async def test_a_crash_between_commit_and_answer_is_repeated_with_the_first_answer(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    switch = KillSwitch("INSERT INTO idempotency_keys", Point.AFTER_COMMIT)
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        switch.kill = lambda: town.system.kill("user")
        person = {
            "first_name": "Ada",
            "last_name": "Lovelace",
            "email": "ada@example.com",
            "timezone": "UTC",
        }
        key = {"Idempotency-Key": "once"}
        async with killing_proxy(town.env["USER_DATABASE_URL"], switch) as proxied:
            await town.start("user", env={"USER_DATABASE_URL": proxied})
            with pytest.raises(aiohttp.ClientError):
                await town.call("POST", "user", "/v1/users", body=person, headers=key)
            assert switch.fired.is_set()
        await town.restart("user")
        first = await town.call("POST", "user", "/v1/users", body=person, headers=key)
        again = await town.call("POST", "user", "/v1/users", body=person, headers=key)
        assert first[0] == 201
        assert first == again
        _, listed = await town.call("GET", "user", "/v1/users")
        assert len(listed["items"]) == 1
        status, _ = await town.call(
            "POST", "user", "/v1/users", body=person | {"first_name": "Eve"}, headers=key
        )
        assert status == 422


@pytest.mark.parametrize("point", [Point.BEFORE_STATEMENT, Point.AFTER_COMMIT])
async def test_a_crash_around_a_shared_commit_registers_everybody_once(
    point: Point, pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    """Whoever was committed together gets the first answer again, whoever was not is registered."""
    switch = KillSwitch()
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        switch.kill = lambda: town.system.kill("user")

        async def post(number: int) -> tuple[int, Any]:
            name = {"first_name": "Ada", "last_name": f"Number {number}", "timezone": "UTC"}
            return await town.call(
                "POST",
                "user",
                "/v1/users",
                body=name | {"email": f"ada{number}@example.com"},
                headers={"Idempotency-Key": f"key-{number}"},
            )

        async def post_all() -> list[tuple[int, Any] | BaseException]:
            return await asyncio.gather(*map(post, range(PEOPLE)), return_exceptions=True)

        async with killing_proxy(town.env["USER_DATABASE_URL"], switch) as proxied:
            await town.start("user", env={"USER_DATABASE_URL": proxied})
            switch.set("WITH asked AS", point)
            cut_off = await post_all()
            assert switch.fired.is_set()
        told = [answer for answer in cut_off if not isinstance(answer, BaseException)]
        assert len(told) < PEOPLE
        untold = await count(town, "user", "people") - len(told)
        # One that was committed alone before may miss its answer too.
        assert untold > 1 if point is Point.AFTER_COMMIT else untold <= 1
        await town.restart("user")
        answers = await post_all()
        assert {answer[0] for answer in answers if not isinstance(answer, BaseException)} == {201}
        assert all(answer in answers for answer in told)
        assert answers == await post_all()
        for table in ("people", "events", "person_keys", "idempotency_keys"):
            assert await count(town, "user", table) == PEOPLE
