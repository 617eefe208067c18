"""The console's questions and holds against the real planner."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from contracts.kinds import KINDS
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.serve import HttpServer
from libs.runtime.health import Health
from services.console import asking, sentences
from services.console.addresses import Addresses
from services.console.api import Api, open_api
from services.console.arguments import command_line
from services.console.errors import RefusedError
from services.planner.entrypoints.api import create_api
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient

KEY, TOKEN = new_key("console", ["plans:read", "ops:pause"])
ADA = a_recipient(birthday="1990-06-14", zone="Europe/Berlin")
FEBRUARY = ("simulate", "--from", "2027-02-01", "--to", "2027-03-01")


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    """Yield the console's way to a planner."""
    app = create_api(
        pool=world.pool,
        clock=world.clock,
        publisher=world.publisher,
        kinds=KINDS,
        auth=ApiKeys([KEY]),
        health=Health(),
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    async with open_api(Addresses({"planner": f"http://127.0.0.1:{server.port}"}, TOKEN)) as opened:
        yield opened
    await server.stop()
    await serving


async def explained(api: Api, *options: str) -> list[str]:
    """Return an explanation in words."""
    given = command_line().parse_args(["explain", str(ADA.person_id), "birthday", *options])
    return [*sentences.explanation(await asking.explain(api, given))]


async def simulated(api: Api, *options: str) -> list[str]:
    """Return a simulation in words."""
    given = command_line().parse_args([*FEBRUARY, *options])
    return [*sentences.simulation(await asking.simulate(api, given), per=given.per)]


async def test_explanation_is_told_in_words(world: World, api: Api) -> None:
    await world.project(ADA)
    first, *_ = await explained(api, "--year", "2027")
    assert first.startswith("birthday on 2027-06-14: owed at 2027-06-14T09:00:00+02:00")


async def test_what_is_paused_is_explained_until_it_is_resumed(world: World, api: Api) -> None:
    await world.project(ADA)
    line = command_line()
    whom = ["--person", str(ADA.person_id), "--reason", "asked by phone"]
    _, held = await asking.pause(api, line.parse_args(["pause", *whom]))
    assert held.endswith("because: asked by phone")
    (listed,) = await asking.pauses(api, line.parse_args(["pauses"]))
    assert listed == held
    assert "not owed, paused" in (await explained(api))[0]
    pause_id = held.partition(" ")[0]
    (ended,) = await asking.resume(api, line.parse_args(["resume", pause_id]))
    assert ", resumed 2026-06-13T12:00:00Z" in ended
    assert ": owed at " in (await explained(api))[0]
    assert await asking.pauses(api, line.parse_args(["pauses"])) == ["nothing is paused"]


async def test_cancellation_is_told_in_words(world: World, api: Api) -> None:
    await world.project(ADA)
    days = ["--everything", "--from", "2026-06-14", "--to", "2026-06-15"]
    (told,) = await asking.cancel(api, command_line().parse_args(["cancel", *days]))
    assert told == "called off for everyone, every kind, 2026-06-14 to 2026-06-15"
    assert "not owed, called off" in (await explained(api))[0]


async def test_simulation_is_told_in_words(world: World, api: Api) -> None:
    await world.project(a_recipient(birthday="1992-02-29"), a_recipient(birthday=None))
    lines = await simulated(api, "--kind", "birthday", "--mails-per-s", "5")
    assert lines[0].startswith("2027-02-01 to 2027-03-01: 2 active people, zone data ")
    assert lines[1:3] == [
        "as it is: 1 greetings",
        "  birthday: 1 greetings to 1 people, 1 get none",
    ]
    assert any("no birthday, no date: 1, such as " in line for line in lines)
    moved = await simulated(api, "--kind", "birthday", "--leap-day", "mar1")
    assert any(line.startswith("what if: 1 greetings") for line in moved)
    assert any(line.startswith("difference: ") for line in moved)
    later = await simulated(api, "--wall-time", "birthday=10:00")
    assert any(line.startswith("difference: 0 same, 1 moved") for line in later)


async def test_refusal_names_the_faults(world: World, api: Api) -> None:
    await world.project(ADA)
    with pytest.raises(RefusedError) as refused:
        await simulated(api, "--kind", "divorce")
    assert refused.value.faults
