"""Several planners at once, and planners that die: nobody is lost, nobody is doubled."""

import asyncio
import contextlib
from collections import Counter
from random import Random
from typing import Any

import asyncpg
import pytest

from libs.broker import PublishError
from services.planner.adapters import days
from services.planner.app.opening import cut_next_day, open_days_ahead
from services.planner.app.planning import note_planned_days, plan_next_slice
from services.planner.app.upkeep import keep_partitions
from services.planner.domain.decision import decide
from services.planner.domain.recipient import Recipient
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, person_id, utc
from tests.support.town import until

TODAY = day("2026-06-14")
ZONES = ("Europe/Berlin", "Asia/Tokyo", "America/New_York", "Pacific/Kiritimati", "Etc/GMT+12")


def a_crowd(size: int, *, seed: int = 1) -> list[Recipient]:
    """Return people most of whom celebrate around 14 June, many twice."""
    random = Random(seed)
    return [
        a_recipient(
            person_id=person_id(number),
            birthday=f"19{random.randint(50, 99)}-06-{random.randint(11, 19)}",
            anniversary=random.choice([None, "--06-14", "2020-06-15"]),
            zone=random.choice(ZONES),
        )
        for number in range(size)
    ]


async def owed_on_open_days(world: World, people: list[Recipient]) -> set[tuple[Any, ...]]:
    """Return what the pure function says is owed."""
    return {
        (local_day, person.person_id, kind.name)
        for local_day in await world.open_day_list()
        for person in people
        for kind in world.kinds.values()
        if decide(person, kind, local_day).is_owed
    }


async def plan_to_the_end(world: World) -> int:
    """Play one planner that cuts and plans until nothing is left; return its rows."""
    now, kinds, rows = world.clock.now(), world.kinds.values(), 0
    while await cut_next_day(world.pool, kinds, now=now, slice_size=7):
        pass
    while (planned := await plan_next_slice(world.pool, kinds, now=now)) is not None:
        rows += planned
    return rows


async def test_a_day_is_planned_as_the_pure_function_says(world: World) -> None:
    people = a_crowd(300)
    await world.project(*people)
    await world.plan(slice_size=20)
    assert await world.planned() == await owed_on_open_days(world, people)


async def test_projecting_into_open_days_gives_what_planning_them_gives(world: World) -> None:
    people = a_crowd(300)
    await world.plan()
    await world.project(*people)
    assert await world.planned() == await owed_on_open_days(world, people)


async def test_days_opened_while_people_arrive_lose_nobody(world: World) -> None:
    people = a_crowd(400)
    batches = [people[start : start + 10] for start in range(0, len(people), 10)]

    async def open_and_plan() -> None:
        for horizon_days in range(-2, 5):
            now = world.clock.now()
            await open_days_ahead(world.pool, now=now, horizon_days=horizon_days)
            await plan_to_the_end(world)

    await asyncio.gather(open_and_plan(), *(world.project(*batch) for batch in batches))
    await plan_to_the_end(world)
    assert len(await world.open_day_list()) == 7
    assert await world.planned() == await owed_on_open_days(world, people)


async def someone_waits_for_days(world: World) -> None:
    """Return when a transaction waits for the lock of openings and projections."""
    waiting = (
        "SELECT count(*) > 0 FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )

    async def look() -> bool | None:
        return await world.pool.fetchval(waiting) or None

    await until(look, timeout_s=10)


async def test_a_projection_waits_for_an_opening_and_sees_its_day(world: World) -> None:
    person = a_recipient(birthday="1990-06-14")
    await keep_partitions(world.pool, now=world.clock.now())
    async with world.pool.acquire() as connection:
        async with connection.transaction():
            await days.lock_days(connection)
            await days.open_days(connection, [TODAY], now=world.clock.now())
            projecting = asyncio.create_task(world.project(person))
            await someone_waits_for_days(world)
        await projecting
    assert await world.state(person, TODAY) == ("waiting", None)


async def test_an_opening_waits_for_projections_that_cannot_see_its_day(world: World) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    async with world.pool.acquire() as connection:
        async with connection.transaction():
            await days.lock_days_shared(connection)
            planning = asyncio.create_task(world.plan())
            await someone_waits_for_days(world)
            await connection.execute("UPDATE celebrations SET zone = 'Asia/Tokyo'")
        await planning
    assert (await world.row(person, TODAY))["zone"] == "Asia/Tokyo"


async def someone_waits_for_a_row(world: World) -> None:
    """Return when a transaction waits for another one to end."""
    waiting = (
        "SELECT count(*) > 0 FROM pg_locks JOIN pg_stat_activity USING (pid)"
        " WHERE datname = current_database() AND locktype = 'transactionid' AND NOT granted"
    )

    async def look() -> bool | None:
        return await world.pool.fetchval(waiting) or None

    await until(look, timeout_s=10)


async def test_a_slice_and_a_projection_that_wait_for_each_other_both_end_well(
    world: World,
) -> None:
    """The slice plans who is due first, the projection whose id is the lowest."""
    people = [
        a_recipient(person_id=person_id(1), birthday="1990-06-14", zone="Etc/GMT+12"),
        a_recipient(person_id=person_id(2), birthday="1990-06-14", zone="Pacific/Kiritimati"),
    ]
    await world.project(*people)
    await world.open_days()
    put = (
        "INSERT INTO plan (local_day, person_id, kind, due_at, release_at, expires_at,"
        " person_version, zone, tzdata, period)"
        " VALUES ($1, $2, 'birthday', $3, $3, $3, 2, 'UTC', '', $1)"
    )
    async with world.pool.acquire() as connection:
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            async with connection.transaction():
                await connection.execute(put, TODAY, person_id(1), utc("2026-06-14 09:00"))
                planning = asyncio.create_task(world.plan_open_days())
                await someone_waits_for_a_row(world)
                await connection.execute(put, TODAY, person_id(2), utc("2026-06-14 09:00"))
        await planning
    assert {person.person_id for person in people} == {
        person for day_planned, person, _ in await world.planned() if day_planned == TODAY
    }


async def test_a_slice_leaves_a_row_that_is_made_from_a_newer_person(world: World) -> None:
    """The slice read the person before it moved, the projection wrote its row before the slice."""
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.open_days()
    await world.project(changed(person, zone="America/New_York"))
    await world.pool.execute("UPDATE celebrations SET zone = 'Europe/Berlin', person_version = 1")
    await world.plan_open_days()
    row = await world.row(person, TODAY)
    assert (row["zone"], row["person_version"]) == ("America/New_York", 2)


async def test_people_who_change_while_days_are_planned_end_as_they_are_now(world: World) -> None:
    before = a_crowd(200)
    random = Random(2)
    after = [
        changed(person, zone=random.choice(ZONES), birthday=f"1990-06-{random.randint(11, 19)}")
        for person in before
    ]
    await world.project(*before)
    await world.open_days()
    changes = [world.project(*after[start : start + 5]) for start in range(0, len(after), 5)]
    await asyncio.gather(plan_to_the_end(world), plan_to_the_end(world), *changes)
    await release_everything(world)
    rows = await world.pool.fetch(
        "SELECT local_day, person_id, kind FROM plan WHERE state IN ('released', 'expired')"
    )
    assert {tuple(row) for row in rows} == await owed_on_open_days(world, after)


async def release_everything(world: World) -> None:
    """Move on until every open day is over."""
    world.clock.set(utc("2026-06-19 00:00"))
    for _ in range(3):  # what is found stale is released by the next step
        await world.release()


@pytest.mark.edge_case("EC-S-002", "EC-S-009")
async def test_two_planners_plan_each_slice_once(world: World) -> None:
    people = a_crowd(300)
    await world.project(*people)
    await world.open_days()
    rows = await asyncio.gather(*(plan_to_the_end(world) for _ in range(4)))
    await note_planned_days(world.pool, now=world.clock.now())
    assert sum(rows) == len(await world.planned())
    assert await world.planned() == await owed_on_open_days(world, people)
    assert await world.pool.fetchval("SELECT count(*) FROM days WHERE planned_at IS NULL") == 0


@pytest.mark.edge_case("EC-S-006", "EC-S-012")
async def test_a_planner_that_dies_in_a_slice_leaves_it_to_the_next(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = a_crowd(200)
    await world.project(*people)
    await world.open_days()
    finish, left = days.finish_slice, iter([True, True, False])

    async def die(*arguments: Any, **given: Any) -> None:
        if not next(left, True):
            raise ConnectionResetError
        await finish(*arguments, **given)

    monkeypatch.setattr(days, "finish_slice", die)
    with pytest.raises(ConnectionResetError):
        await plan_to_the_end(world)
    assert await world.planned() < await owed_on_open_days(world, people)
    await plan_to_the_end(world)
    assert await world.planned() == await owed_on_open_days(world, people)


@pytest.mark.edge_case("EC-RC-006", "EC-RC-010")
async def test_two_planners_release_each_row_once(world: World) -> None:
    people = a_crowd(300)
    await world.project(*people)
    await world.plan()
    world.clock.set(utc("2026-06-15 00:00"))

    async def release_some() -> None:
        for _ in range(20):
            await world.release(limit=7)

    await asyncio.gather(*(release_some() for _ in range(4)))
    released = Counter((e.data.local_day, e.data.person_id, e.data.kind) for e in published(world))
    rows = await world.pool.fetch(
        "SELECT state, count(*) FROM plan WHERE due_at <= $1 GROUP BY 1", world.clock.now()
    )
    states = {row["state"]: row["count"] for row in rows}
    assert set(released.values()) == {1}
    assert (states["released"], states.get("waiting")) == (len(released), None)


def published(world: World) -> list[Any]:
    """Return all requests published so far."""
    return world.publisher.events()


async def test_a_release_nobody_confirmed_is_made_again_under_the_same_number(world: World) -> None:
    (person,) = people = [a_recipient(birthday="1990-06-14")]
    await world.project(*people)
    await world.plan()
    world.clock.set(utc("2026-06-14 07:00"))
    world.publisher.refused.add("dispatch.requested.v1")
    with pytest.RaisesGroup(PublishError):
        await world.release()
    assert await world.state(person, TODAY) == ("waiting", None)
    world.publisher.refused.clear()
    assert keys_of(await world.release()) == [(person.person_id, 1)]


async def test_an_answer_may_come_before_the_release_is_committed(world: World) -> None:
    """The commit was lost: the plan still waits when the answer to release 1 arrives."""
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.pool.execute("UPDATE plan SET state = 'waiting', release = 0")
    await world.defer(request, utc("2026-06-14 07:05"))
    assert keys_of(await world.release_at("2026-06-14 07:05")) == [(person.person_id, 2)]


async def test_a_row_a_slice_made_from_an_older_person_is_renewed_at_the_release(
    world: World,
) -> None:
    """A slice that read the person just before it changed writes its row just after."""
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    row = await world.row(person, TODAY)
    moved = changed(person, zone="America/New_York")
    await world.project(moved)
    await world.pool.execute(
        "UPDATE plan SET person_version = 1, due_at = $1, release_at = $1, zone = 'Europe/Berlin'",
        row["due_at"],
    )
    assert await world.release_at("2026-06-14 07:00") == []
    (request,) = await world.release_at("2026-06-14 13:00")
    assert (request.person_version, request.due_at) == (2, utc("2026-06-14 13:00"))


async def test_a_stale_row_of_a_date_that_moved_away_is_cancelled_at_the_release(
    world: World,
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    await world.project(changed(person, birthday="1990-06-20"))
    await world.pool.execute("UPDATE plan SET state = 'waiting', reason = NULL, person_version = 1")
    assert await world.release_at("2026-06-14 07:00") == []
    assert await world.state(person, TODAY) == ("cancelled", "date_changed")


async def test_two_consumers_with_versions_of_one_person_agree(world: World) -> None:
    await world.plan()
    first = a_recipient(birthday="1990-06-14")
    versions = [first]
    for number in range(12):
        versions.append(changed(versions[-1], birthday=f"1990-06-{11 + number % 8}"))
    Random(3).shuffle(versions)
    await asyncio.gather(*(world.project(version) for version in versions))
    last = max(versions, key=lambda version: version.version)
    rows = await world.pool.fetch(
        "SELECT local_day, person_id, kind FROM plan WHERE state = 'waiting'"
    )
    assert {tuple(row) for row in rows} == await owed_on_open_days(world, [last])
    filed = await world.pool.fetch("SELECT bucket FROM celebrations")
    assert len(filed) == 1
