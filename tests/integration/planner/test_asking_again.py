"""Releases nobody answered are asked for again, under the same number, ever more rarely."""

import asyncio
from datetime import timedelta

import pytest

from services.planner.app.releasing import ask_again, find_window
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, day, utc

TODAY = day("2026-06-14")
PERSON = a_recipient(birthday="1990-06-14")


async def ask(world: World, *, ask_after: timedelta = timedelta(seconds=120)) -> list[object]:
    before = len(world.publisher.events())
    window = await find_window(world.pool, now=world.clock.now())
    assert window is not None
    await ask_again(
        world.pool,
        world.publisher,
        window,
        now=world.clock.now(),
        limit=500,
        ask_after=ask_after,
    )
    return list(keys_of([one.data for one in world.publisher.events()[before:]]))


async def released(world: World) -> None:
    await world.project(PERSON)
    await world.plan()
    await world.release_at("2026-06-14 07:00")


async def let_time_pass(world: World) -> None:
    await world.pool.execute(
        "UPDATE plan SET ask_at = clock_timestamp() - interval '1 second' WHERE state = 'released'"
    )


async def test_a_fresh_release_is_not_asked_for_again(world: World) -> None:
    await released(world)
    assert await ask(world) == []


async def test_a_silent_release_is_asked_for_under_the_same_number(world: World) -> None:
    await released(world)
    await let_time_pass(world)
    assert await ask(world) == [(PERSON.person_id, 1)]
    first, second = world.publisher.events()
    assert (first.id, first.subject, first.data) == (second.id, second.subject, second.data)


@pytest.mark.edge_case("EC-RC-007")
async def test_asking_again_beside_releases_makes_no_second_release(world: World) -> None:
    people = [a_recipient(birthday="1990-06-14") for _ in range(60)]
    await world.project(*people)
    await world.plan()
    world.clock.set(utc("2026-06-14 07:00"))

    async def release_all() -> None:
        for _ in range(12):
            await world.release_day(TODAY, limit=5)

    async def ask_often() -> None:
        for _ in range(12):
            await let_time_pass(world)
            await ask(world)

    await asyncio.gather(release_all(), release_all(), ask_often(), ask_often())
    requests = [one.data for one in world.publisher.events()]
    assert set(keys_of(requests)) == {(person.person_id, 1) for person in people}
    assert len({one.id for one in world.publisher.events()}) == len(people)


async def test_each_asking_waits_twice_as_long_as_the_one_before(world: World) -> None:
    await released(world)
    waits = []
    for _ in range(3):
        await let_time_pass(world)
        await ask(world, ask_after=timedelta(minutes=2))
        waits.append(
            await world.pool.fetchval("SELECT round(extract(epoch FROM ask_at - now())) FROM plan")
        )
    assert waits == [240, 480, 960]


async def test_what_was_answered_is_not_asked_for(world: World) -> None:
    await released(world)
    (request,) = [one.data for one in world.publisher.events()]
    await world.accept(request)
    await let_time_pass(world)
    assert await ask(world) == []


async def test_the_copy_of_an_answered_release_heals_a_lost_answer(world: World) -> None:
    await released(world)
    await let_time_pass(world)
    await ask(world)
    (request, _) = [one.data for one in world.publisher.events()]
    await world.accept(request, accepted_at=utc("2026-06-14 07:00:01"))
    row = await world.row(PERSON, TODAY)
    assert (row["state"], row["settled_at"]) == ("accepted", utc("2026-06-14 07:00:01"))
