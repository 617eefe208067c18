"""After an outage, however long: everything owed goes out once or is listed, piece by piece."""

import asyncio
from datetime import date, timedelta

import asyncpg
import pytest

from contracts.kinds import KINDS
from libs.broker import PublishError
from libs.postgres.pool import open_pool
from libs.runtime.loops import FAILURES_UNTIL_UNREADY, Loop
from libs.runtime.stopping import Stopping
from services.planner.app.projecting import project_people
from services.planner.app.upkeep import close_done_days
from services.planner.domain.recipient import Recipient
from services.planner.domain.room import Room
from services.planner.entrypoints.loops import Planning, Reconciling, Releasing, Upkeep
from tests.integration.planner.world import ASK_AFTER, World, keys_of
from tests.support.depth import deeper
from tests.support.recipients import a_recipient, changed, day, utc

TODAY = day("2026-06-14")
NINE_IN_BERLIN = utc("2026-06-14 07:00")
CROWD_AT_ONCE = 100_000


def releasing(world: World, *, batch_size: int = 1000) -> Releasing:
    return Releasing(
        world.pool,
        world.publisher,
        world.clock,
        world.kinds,
        batch_size=batch_size,
        room=Room(2_000_000),
        pause_max_s=1.0,
        ask_after=ASK_AFTER,
    )


def planning(world: World, *, slice_size: int = 1000) -> Planning:
    return Planning(world.pool, world.clock, world.kinds, horizon_days=4, slice_size=slice_size)


async def run_until_idle(loop: Planning | Releasing) -> int:
    """Make steps until one wants to sleep; return how many did something."""
    steps = 0
    while not await loop.step():
        steps += 1
    return steps


async def insert_crowd(world: World, people: int) -> None:
    """Have so many people in Berlin, born on 15 June, as if they had been projected."""
    await world.project(a_recipient(birthday="1990-06-15"))
    for table in ("recipients", "celebrations"):
        columns = await world.pool.fetchval(
            "SELECT string_agg(column_name, ', ' ORDER BY ordinal_position)"
            " FROM information_schema.columns WHERE table_name = $1 AND column_name <> 'person_id'",
            table,
        )
        for first in range(2, people + 1, CROWD_AT_ONCE):
            await world.pool.execute(
                f"INSERT INTO {table} (person_id, {columns})"  # noqa: S608
                f" SELECT md5('catch' || number)::uuid, {columns}"
                f" FROM (SELECT * FROM {table} LIMIT 1) AS first,"
                f" generate_series({first}, {min(first + CROWD_AT_ONCE - 1, people)}) AS number"
            )


async def states(world: World) -> dict[str, int]:
    rows = await world.pool.fetch("SELECT state, count(*) FROM plan GROUP BY state")
    return {row["state"]: row["count"] for row in rows}


@pytest.mark.edge_case("EC-S-001", "EC-S-015", "EC-S-018")
@pytest.mark.parametrize(
    ("outage", "is_sent"),
    [
        pytest.param(timedelta(hours=3), True, id="hours"),
        pytest.param(timedelta(hours=26), True, id="more than a day"),
        pytest.param(timedelta(hours=48), True, id="up to the limit"),
        pytest.param(timedelta(hours=48, seconds=1), False, id="beyond it"),
        pytest.param(timedelta(days=3), False, id="three days"),
        pytest.param(timedelta(days=40), False, id="forty days"),
    ],
)
@pytest.mark.parametrize("was_planned", [True, False], ids=["planned before", "planned after"])
async def test_what_an_outage_missed_goes_out_once_or_is_listed(
    world: World, outage: timedelta, is_sent: bool, was_planned: bool
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    if was_planned:
        await run_until_idle(planning(world))
    else:
        await world.open_days(horizon_days=-1)
    world.clock.set(NINE_IN_BERLIN + outage)
    await run_until_idle(planning(world))
    await run_until_idle(releasing(world))
    sent = keys_of([one.data for one in world.publisher.events()])
    assert sent == ([(person.person_id, 1)] if is_sent else [])
    expected = ("released", None) if is_sent else ("expired", "too_late")
    assert await world.state(person, TODAY) == expected


async def test_three_days_of_everybody_are_made_up_for(world: World) -> None:
    """Somebody every hour of three days, in zones all over the world."""
    zones = ("Pacific/Kiritimati", "Asia/Kolkata", "Europe/Berlin", "Etc/GMT+12")
    people = [
        a_recipient(birthday=f"1990-06-{number}", zone=zone)
        for number in range(13, 18)
        for zone in zones
    ]
    await world.project(*people)
    await run_until_idle(planning(world))
    world.clock.set(utc("2026-06-16 21:00"))
    await run_until_idle(planning(world))
    await run_until_idle(releasing(world, batch_size=2))
    now = world.clock.now()
    rows = await world.pool.fetch("SELECT state, due_at, expires_at FROM plan")
    assert len(rows) == len(people)
    for row in rows:
        expected = "waiting" if row["due_at"] > now else "released"
        assert row["state"] == (expected if now <= row["expires_at"] else "expired")
    released = [one.data.person_id for one in world.publisher.events()]
    assert len(released) == len(set(released)) == sum(row["state"] == "released" for row in rows)


@pytest.mark.edge_case("EC-S-016", "EC-S-017")
async def test_ten_thousand_missed_go_out_in_batches_by_planners_side_by_side(
    world: World,
) -> None:
    await insert_crowd(world, 10_000)
    await run_until_idle(planning(world, slice_size=2500))
    world.clock.set(NINE_IN_BERLIN + timedelta(days=1, hours=5))
    loops = [releasing(world, batch_size=1000) for _ in range(3)]

    async def to_the_end(loop: Releasing) -> None:
        for _ in range(60):
            await loop.step()

    await asyncio.gather(*(to_the_end(loop) for loop in loops))
    assert await states(world) == {"released": 10_000}
    people = [one.data.person_id for one in world.publisher.events()]
    assert len(people) == len(set(people)) == 10_000
    assert max(message.items for message in world.publisher.published) <= 500


@pytest.mark.edge_case("EC-S-011", "EC-TZ-015")
@pytest.mark.timeout(deeper(180, 900))
async def test_all_birthdays_of_tomorrow_are_planned_slice_by_slice(world: World) -> None:
    people = deeper(10_000, 1_000_000)
    await insert_crowd(world, people)
    steps = await run_until_idle(planning(world, slice_size=5000))
    assert await states(world) == {"waiting": people}
    assert steps >= people // 5000


@pytest.mark.edge_case("EC-S-008")
async def test_planning_by_hand_and_by_the_loop_gives_the_same_plan(world: World) -> None:
    people = [a_recipient(birthday=f"1990-06-{number}") for number in range(11, 18)]
    await world.project(*people)
    await world.plan()
    query = "SELECT local_day, person_id, kind, due_at, state, tzdata FROM plan ORDER BY 1, 2, 3"
    by_hand = await world.pool.fetch(query)
    await world.pool.execute("DELETE FROM plan")
    await world.pool.execute("DELETE FROM days")
    await run_until_idle(planning(world))
    assert await world.pool.fetch(query) == by_hand
    await world.plan()
    assert await world.pool.fetch(query) == by_hand


@pytest.mark.edge_case("EC-S-013")
async def test_a_slice_whose_statement_is_cut_off_is_planned_by_the_next_step(
    world: World, planner_url: str
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.open_days()
    async with (
        world.pool.acquire() as other,
        open_pool(planner_url, name="impatient", statement_timeout_s=0.3) as impatient,
    ):
        async with other.transaction():
            await other.execute("LOCK TABLE plan_20260614 IN ACCESS EXCLUSIVE MODE")
            hasty = Planning(impatient, world.clock, world.kinds, horizon_days=4, slice_size=100)
            with pytest.raises((asyncpg.QueryCanceledError, TimeoutError)):
                await run_until_idle(hasty)
        assert await world.planned() == set()
    await run_until_idle(planning(world))
    assert {key[1] for key in await world.planned()} == {person.person_id}


@pytest.mark.edge_case("EC-S-003", "EC-S-002")
async def test_a_step_that_takes_long_is_never_joined_by_another() -> None:
    """There is no tick to miss: whoever is woken meanwhile finds the same work, once."""
    under_way, most, turns = 0, 0, 0
    stopping, go_on = Stopping(), asyncio.Event()

    async def step() -> float:
        nonlocal under_way, most, turns
        under_way, turns = under_way + 1, turns + 1
        most = max(most, under_way)
        await go_on.wait()
        under_way -= 1
        if turns == 2:
            stopping.begin("done")
        return 0.0

    loop = Loop("slow", step)
    running = asyncio.create_task(loop.run(stopping))
    for _ in range(5):
        await asyncio.sleep(0)
        loop.wake()
    assert (turns, most) == (1, 1)
    go_on.set()
    await running
    assert (turns, most) == (2, 1)


@pytest.mark.edge_case("EC-S-019")
async def test_without_the_roles_that_recover_nothing_is_recovered(world: World) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    world.clock.set(NINE_IN_BERLIN + timedelta(hours=5))
    before = await world.row(person, TODAY)
    await Upkeep(world.pool, world.clock, KINDS, retention_days=400).step()
    reconciling = Reconciling(
        world.pool, world.publisher, world.clock, batch_size=10, ask_after=ASK_AFTER
    )
    await reconciling.step()
    assert (world.publisher.published, await world.row(person, TODAY)) == ([], before)
    await run_until_idle(releasing(world))
    assert keys_of([one.data for one in world.publisher.events()]) == [(person.person_id, 1)]


@pytest.mark.edge_case("EC-S-020")
async def test_a_recovery_that_keeps_failing_makes_its_process_unready(world: World) -> None:
    await world.project(a_recipient(birthday="1990-06-14"))
    await world.plan()
    world.clock.set(NINE_IN_BERLIN)
    world.publisher.refused.add("dispatch.requested.v1")
    stopping = Stopping()
    step = releasing(world).step
    failures = 0

    async def counted() -> float:
        nonlocal failures
        try:
            return await step()
        except* PublishError:
            failures += 1
            if failures == FAILURES_UNTIL_UNREADY:
                stopping.begin("seen enough")
            raise

    loop = Loop("release-1", counted, error_pause_s=0.001)
    assert await loop.check() is None
    await loop.run(stopping)
    assert "failed 3 times in a row" in (await loop.check() or "")


@pytest.mark.edge_case("EC-S-005")
async def test_every_instant_is_kept_and_told_in_utc(world: World) -> None:
    person = a_recipient(birthday="1990-06-14", zone="Asia/Kathmandu")
    await world.project(person)
    await world.plan()
    row = await world.row(person, TODAY)
    instants = [row[column] for column in ("due_at", "release_at", "expires_at")]
    assert {at.utcoffset() for at in instants} == {timedelta(0)}
    await world.release_at("2026-06-14 03:15")
    body = world.publisher.published[0].body
    assert b'"due_at":"2026-06-14T03:15:00Z"' in body


# projections that come days late


async def close(world: World) -> list[date]:
    return await close_done_days(world.pool, KINDS.values(), now=world.clock.now())


async def tell_late(world: World, *people: Recipient, told_at: str) -> None:
    """Take in what the user service told days ago."""
    now = world.clock.now()
    await project_people(world.pool, people, world.kinds, now=now, told_at=utc(told_at))


async def a_week_later(world: World) -> None:
    """Let a week go by, in which days were planned and closed and no one was projected."""
    await world.plan()
    world.clock.set(utc("2026-06-21 12:00"))
    await world.plan()
    assert TODAY in await close(world)


@pytest.mark.parametrize(
    ("given", "told_at"),
    [
        pytest.param({}, "2026-06-13 12:00", id="registered"),
        pytest.param({"version": 3}, "2026-06-13 12:00", id="a later version"),
    ],
)
async def test_who_is_heard_of_only_when_the_day_is_closed_is_listed_as_expired(
    world: World, given: dict[str, int], told_at: str
) -> None:
    await a_week_later(world)
    person = a_recipient(birthday="1990-06-14", active_since=utc(told_at), **given)
    await tell_late(world, person, told_at=told_at)
    assert TODAY in await world.open_day_list()
    assert await world.release() == []
    assert await world.state(person, TODAY) == ("expired", "too_late")
    assert TODAY in await close(world)


async def test_a_day_stays_closed_when_nothing_late_is_about_it(world: World) -> None:
    await a_week_later(world)
    person = a_recipient(birthday="1990-07-14", active_since=utc("2026-06-13 12:00"))
    await tell_late(world, person, told_at="2026-06-13 12:00")
    assert TODAY not in await world.open_day_list()


async def test_a_change_of_today_makes_nothing_owed_on_days_that_are_over(world: World) -> None:
    without = a_recipient()
    await world.project(without)
    await a_week_later(world)
    await world.project(changed(without, birthday="1990-06-14"))
    assert await world.planned() == set()
    assert TODAY not in await world.open_day_list()


async def test_deleted_and_restored_while_nobody_listened_is_judged_by_the_last(
    world: World,
) -> None:
    await a_week_later(world)
    person = a_recipient(birthday="1990-06-14", active_since=utc("2026-06-13 12:00"))
    gone = changed(person, is_active=False)
    await tell_late(world, person, told_at="2026-06-13 12:00")
    await tell_late(world, gone, told_at="2026-06-13 13:00")
    assert await world.release() == []
    assert await world.state(person, TODAY) == ("suppressed", "user_removed")
