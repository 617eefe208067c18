"""The planner stops: what it had asked for is sent all the same, the rest waits for it."""

from pathlib import Path

import pytest

from tests.support.town import BEFORE_NINE, Town, a_town, after_nine, until

PEOPLE = 30


async def released(town: Town) -> bool | None:
    row = await town.ask("planner", "SELECT count(*) FROM plan WHERE state = 'released'")
    return True if row[0] == PEOPLE else None


async def all_mailed(town: Town) -> bool | None:
    return True if len(await town.mails()) == PEOPLE else None


@pytest.mark.edge_case("EC-S-010", "EC-W-001")
async def test_workers_drain_what_a_stopped_planner_has_asked_for(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        for number in range(PEOPLE):
            await town.register(number)
        await town.start("dispatcher-people", roles=("contacts", "upkeep"))
        await town.start("planner", env={"JUBILEE_CLOCK": after_nine()})
        await town.projected(PEOPLE, PEOPLE)
        await until(lambda: released(town))
        await town.system.stop("planner")
        await town.start("dispatcher", env={"JUBILEE_CLOCK": after_nine()})
        await until(lambda: all_mailed(town))
        await town.start("planner", env={"JUBILEE_CLOCK": after_nine()})
        assert (await town.settled(PEOPLE))["accepted"] == PEOPLE
        assert len(await town.mails()) == PEOPLE
