"""A kind that is registered while people are there already: one file, one line, nothing else."""

import pytest

from contracts.kinds import KINDS, Cadence, Kind
from contracts.kinds.birthday import BIRTHDAY
from services.planner.domain.decision import decide
from services.planner.entrypoints.loops import Planning
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, changed, person_id

PEOPLE = [
    a_recipient(person_id=person_id(number), birthday=f"19{60 + number}-06-{11 + number % 9:02}")
    for number in range(30)
]


def a_kind(cadence: Cadence) -> Kind:
    """Return a kind that reads the birthday."""
    return Kind(
        name="name_day", date_field="birthday", cadence=cadence, templates=BIRTHDAY.templates
    )


async def run_until_idle(world: World) -> None:
    planning = Planning(world.pool, world.clock, world.kinds, horizon_days=4, slice_size=100)
    for _ in range(100):
        if await planning.step():
            return
    raise AssertionError("it never sleeps")


async def owed(world: World) -> set[object]:
    return {
        (day, person.person_id, kind.name)
        for day in await world.open_day_list()
        for person in PEOPLE
        for kind in world.kinds.values()
        if decide(person, kind, day).is_owed
    }


@pytest.mark.parametrize("cadence", ["yearly", "monthly", "weekly", "daily", "once"])
async def test_a_new_kind_is_planned_for_people_who_were_there_before_it(
    world: World, cadence: Cadence
) -> None:
    await world.project(*PEOPLE)
    await run_until_idle(world)
    world.kinds = {**KINDS, "name_day": a_kind(cadence)}
    await run_until_idle(world)
    assert await world.planned() == await owed(world)


async def test_people_projected_meanwhile_are_filed_once(world: World) -> None:
    await world.project(*PEOPLE[:20])
    await run_until_idle(world)
    world.kinds = {**KINDS, "name_day": a_kind("monthly")}
    await world.project(*PEOPLE[20:], changed(PEOPLE[0], zone="Asia/Tokyo"))
    await run_until_idle(world)
    assert await world.planned() == await owed(world)


async def test_filing_goes_on_where_it_was_interrupted(world: World) -> None:
    await world.project(*PEOPLE)
    await run_until_idle(world)
    world.kinds = {**KINDS, "name_day": a_kind("daily")}
    await world.pool.execute(
        "INSERT INTO kinds (kind, upto) VALUES ('name_day', $1)", PEOPLE[9].person_id
    )
    await run_until_idle(world)
    filed = await world.pool.fetchval("SELECT count(*) FROM celebrations WHERE kind = 'name_day'")
    assert filed == 20
