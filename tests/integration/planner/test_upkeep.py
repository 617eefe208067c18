"""Partitions ahead, days opened, closed and forgotten."""

from datetime import date, timedelta

import pytest

from contracts import topology
from contracts.kinds import KINDS
from libs.postgres.partitions import day_partitions
from libs.telemetry.metrics import exposition
from services.planner.adapters.set_aside import SetAside
from services.planner.app.opening import measure_horizon
from services.planner.app.redriving import keep_aside, redrive
from services.planner.app.upkeep import (
    close_done_days,
    forget_old,
    keep_partitions,
    partitions_ahead_days,
)
from services.planner.entrypoints.loops import Upkeep
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, day, person_id, utc

TODAY = day("2026-06-14")
USERS = topology.PLANNER_USERS.name
PERSON = a_recipient(birthday="1990-06-14")
OVER = utc("2026-06-19 12:00")


async def close(world: World) -> list[date]:
    return await close_done_days(world.pool, KINDS.values(), now=world.clock.now())


async def test_partitions_reach_sixty_days_ahead_without_a_gap(world: World) -> None:
    now = world.clock.now()
    await keep_partitions(world.pool, now=now)
    assert await partitions_ahead_days(world.pool, now=now) >= 61
    assert await keep_partitions(world.pool, now=now) == 0


async def test_opening_a_day_makes_its_partition_first(world: World) -> None:
    world.clock.set(utc("2031-01-01 00:00"))
    await world.open_days(horizon_days=1)
    async with world.pool.acquire() as connection:
        there = await day_partitions(connection, "plan")
    assert set(await world.open_day_list()) <= set(there)


async def test_the_plan_reaches_two_days_beyond_the_first_nine_on_earth(world: World) -> None:
    world.clock.set(utc("2026-06-13 23:59:59"))
    await world.plan()
    horizon = await measure_horizon(world.pool, KINDS.values(), now=world.clock.now())
    assert horizon.ahead >= timedelta(hours=48)


async def test_without_any_plan_the_horizon_is_zero(world: World) -> None:
    horizon = await measure_horizon(world.pool, KINDS.values(), now=world.clock.now())
    assert horizon.ahead == timedelta(0)


async def test_a_day_in_planning_ends_the_horizon(world: World) -> None:
    await world.open_days()
    horizon = await measure_horizon(world.pool, KINDS.values(), now=world.clock.now())
    assert horizon.ahead < timedelta(0)


async def test_a_day_closes_when_all_of_it_is_decided(world: World) -> None:
    await world.project(PERSON)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    world.clock.set(OVER)
    assert TODAY not in await close(world)
    await world.accept(request)
    assert TODAY in await close(world)
    assert await world.pool.fetchval("SELECT count(*) FROM slices WHERE local_day = $1", TODAY) == 0


async def test_a_day_does_not_close_before_its_late_limits_have_passed(world: World) -> None:
    await world.plan()
    world.clock.set(utc("2026-06-16 20:00"))
    assert TODAY not in await close(world)


async def test_an_unknown_outcome_does_not_keep_its_day_open(world: World) -> None:
    await world.project(PERSON)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.lose(request)
    world.clock.set(OVER)
    assert TODAY in await close(world)


async def test_a_closed_day_opens_again_when_something_of_it_is_pending(world: World) -> None:
    await world.project(PERSON)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.lose(request)
    world.clock.set(OVER)
    await close(world)
    await world.defer(request, OVER)
    assert TODAY in await world.open_day_list()
    assert await world.release() == []
    assert await world.state(PERSON, TODAY) == ("expired", "too_late")
    assert TODAY in await close(world)


async def test_old_days_are_forgotten_whole_but_never_open_ones(world: World) -> None:
    world.clock.set(utc("2029-01-01 12:00"))
    await world.plan()
    world.clock.set(utc("2029-02-20 12:00"))
    kept = await forget_old(world.pool, now=world.clock.now(), retention_days=40)
    assert not set(kept) & set(await world.open_day_list())
    closed = await close(world)
    dropped = await forget_old(world.pool, now=world.clock.now(), retention_days=40)
    assert set(closed) & set(dropped)
    left = await world.pool.fetch("SELECT local_day FROM days")
    assert [row["local_day"] for row in left] == [max(closed)], "where opening has to go on"


async def keep_for_a_month(world: World) -> None:
    await world.pool.execute(
        "UPDATE set_aside SET recorded_at = recorded_at - interval '31 days',"
        " redriven_at = redriven_at - interval '31 days'"
    )
    await Upkeep(world.pool, world.clock, KINDS, retention_days=400).step()


@pytest.mark.edge_case("EC-Q-028", "EC-Q-030")
async def test_a_message_waits_for_a_person_as_long_as_it_takes_and_is_counted(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    message = SetAside(
        id=person_id(1), queue=USERS, type="t", reason="malformed", body=b"{}", items=1
    )
    await keep_aside(world.pool, [message])
    assert [(one.message, one.levelname) for one in caplog.records] == [
        ("message.set_aside", "ERROR")
    ]
    await world.plan()
    await keep_for_a_month(world)
    assert b"\nplanner_set_aside_waiting 1.0\n" in exposition()[0]
    assert await redrive(world.pool, world.publisher, message.id)
    await keep_for_a_month(world)
    assert b"\nplanner_set_aside_waiting 0.0\n" in exposition()[0]
    assert await world.pool.fetchval("SELECT count(*) FROM set_aside") == 0
