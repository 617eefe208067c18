"""What a planner does by itself as time passes, step by step."""

from datetime import datetime, timedelta

import pytest

from contracts.kinds import KINDS
from libs.clock import FrozenClock
from services.planner.domain.room import Room
from services.planner.entrypoints.checks import horizon_check, partitions_check
from services.planner.entrypoints.loops import Planning, Reconciling, Releasing, Upkeep
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, day, utc

TODAY = day("2026-06-14")
PERSON = a_recipient(birthday="1990-06-14")


class RunningClock(FrozenClock):
    """A clock that a test moves and that says it runs ``rate`` times as fast as real time."""

    def __init__(self, at: datetime, rate: float) -> None:
        super().__init__(at)
        self.rate = rate


def planning(world: World, clock: FrozenClock | None = None) -> Planning:
    return Planning(world.pool, clock or world.clock, KINDS, horizon_days=4, slice_size=100)


def releasing(world: World, clock: FrozenClock, *, limit: int = 20_000) -> Releasing:
    return Releasing(
        world.pool,
        world.publisher,
        clock,
        KINDS,
        batch_size=2,
        room=Room(limit),
        pause_max_s=1.0,
        ask_after=timedelta(seconds=120),
    )


async def run_until_idle(loop: Planning | Releasing) -> float:
    """Make steps until one wants to sleep; return for how long."""
    for _ in range(100):
        if pause_s := await loop.step():
            return pause_s
    raise AssertionError("it never sleeps")


async def test_a_planner_plans_by_itself_and_then_is_ready(world: World) -> None:
    await world.project(PERSON)
    checks = [
        partitions_check(world.pool, world.clock),
        horizon_check(world.pool, world.clock, KINDS.values()),
    ]
    assert await checks[1]() is not None
    await Upkeep(world.pool, world.clock, KINDS, retention_days=400).step()
    await run_until_idle(planning(world))
    assert [await check() for check in checks] == [None, None]
    assert await world.state(PERSON, TODAY) == ("waiting", None)


async def test_planning_keeps_ahead_of_a_calendar_that_runs(world: World) -> None:
    clock = RunningClock(world.clock.now(), rate=1600)
    step = planning(world, clock)
    check = horizon_check(world.pool, clock, KINDS.values())
    pause_s = await run_until_idle(step)
    for _ in range(5):
        clock.advance(timedelta(seconds=pause_s * clock.rate) + timedelta(hours=12))
        pause_s = await run_until_idle(step)
        assert await check() is None


@pytest.mark.parametrize(
    ("rate", "before", "pause_s"),
    [
        pytest.param(1.0, timedelta(milliseconds=300), 0.3, id="soon"),
        pytest.param(1.0, timedelta(hours=5), 1.0, id="later"),
        pytest.param(1600.0, timedelta(seconds=800), 0.5, id="calendar runs fast"),
        pytest.param(0.0, timedelta(seconds=1), 1.0, id="calendar stands still"),
    ],
)
async def test_releasing_sleeps_until_the_next_instant_but_never_long(
    world: World, rate: float, before: timedelta, pause_s: float
) -> None:
    await world.project(PERSON)
    await world.plan()
    clock = RunningClock(utc("2026-06-14 07:00") - before, rate)
    assert await releasing(world, clock).step() == pytest.approx(pause_s)
    assert world.publisher.published == []


async def test_releasing_goes_on_batch_by_batch_until_nothing_is_due(world: World) -> None:
    people = [a_recipient(birthday="1990-06-14") for _ in range(5)]
    await world.project(*people)
    await world.plan()
    await run_until_idle(releasing(world, RunningClock(utc("2026-06-14 07:00"), 1.0)))
    requests = [one.data for one in world.publisher.events()]
    assert sorted(keys_of(requests)) == sorted((person.person_id, 1) for person in people)
    assert [message.items for message in world.publisher.published] == [2, 2, 1]


@pytest.mark.edge_case("EC-PF-004")
async def test_releasing_stops_while_too_many_are_unanswered(world: World) -> None:
    people = [a_recipient(birthday="1990-06-14") for _ in range(5)]
    await world.project(*people)
    await world.plan()
    release = releasing(world, RunningClock(utc("2026-06-14 07:00"), 1.0), limit=3)
    await run_until_idle(release)
    assert len(world.publisher.events()) == 3
    await world.accept(world.publisher.events()[0].data)
    await run_until_idle(release)
    assert len(world.publisher.events()) == 4


async def test_releasing_waits_for_room_instead_of_following_answers_one_by_one(
    world: World,
) -> None:
    await world.project(*(a_recipient(birthday="1990-06-14") for _ in range(5)))
    await world.plan()
    release = releasing(world, RunningClock(utc("2026-06-14 07:00"), 1.0), limit=3)
    pause_s = await release.step()
    assert pause_s > 0
    assert [message.items for message in world.publisher.published] == [2, 1]
    for request in world.publisher.events()[:2]:
        await world.accept(request.data)
    await release.step()
    assert [message.items for message in world.publisher.published] == [2, 1, 2]


async def test_rows_another_planner_holds_are_looked_at_again_shortly(world: World) -> None:
    await world.project(PERSON)
    await world.plan()
    release = releasing(world, RunningClock(utc("2026-06-14 07:00"), 1.0))
    async with world.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM plan FOR UPDATE")
        assert 0 < await release.step() < 1
    assert await release.step() == 0
    assert keys_of([one.data for one in world.publisher.events()]) == [(PERSON.person_id, 1)]


async def test_reconciling_without_any_day_waits(world: World) -> None:
    reconciling = Reconciling(
        world.pool, world.publisher, world.clock, batch_size=10, ask_after=timedelta(seconds=120)
    )
    assert await reconciling.step() > 0
    await world.plan()
    assert await reconciling.step() > 0
