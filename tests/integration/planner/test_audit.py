"""Audits: each imbalance is provoked behind the planner's back, found, and absent without cause."""

from datetime import timedelta

from contracts import codec
from contracts.kinds import KINDS
from libs.telemetry.metrics import exposition
from services.planner.app.auditing import (
    Standing,
    count_missing,
    list_stretches,
    measure_standing,
)
from services.planner.app.upkeep import close_done_days
from services.planner.entrypoints.audit_loop import Auditing
from tests.integration.planner.test_holds import called_off, paused
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, changed, day, person_id, utc

TODAY = day("2026-06-14")
BALANCED = Standing(unanswered=0, unclosed=0, open_pauses=0)


async def missing(world: World, *, limit: int = 5000) -> int:
    """Return what a whole round finds missing, looking through ``limit`` celebrations at a time."""
    found, left = 0, list(await list_stretches(world.pool, KINDS.values()))
    while left:
        count, rest = await count_missing(world.pool, KINDS.values(), left.pop(), limit=limit)
        found += count
        left += [rest] if rest else []
    return found


async def standing(world: World) -> Standing:
    return await measure_standing(world.pool, KINDS.values(), now=world.clock.now(), rate=1.0)


async def a_busy_plan(world: World) -> list[str]:
    """Plan people of all sorts and bring their rows into all sorts of states."""
    people = [
        a_recipient(
            person_id=person_id(number),
            birthday=f"1990-06-{12 + number % 6}",
            anniversary="--06-14" if number % 3 else None,
            zone=("Europe/Berlin", "Asia/Tokyo", "America/New_York")[number % 3],
        )
        for number in range(60)
    ]
    await world.project(*people)
    await world.plan(slice_size=7)
    await called_off(world, person=people[0])
    await paused(world, kind="anniversary")
    await world.project(
        changed(people[1], birthday="1990-06-14"),
        changed(people[2], zone="Pacific/Auckland"),
        changed(people[3], is_active=False),
        changed(people[4], opt_outs=("birthday",), schedule_version=1),
        changed(people[5], birthday=None),
    )
    requests = await world.release_at("2026-06-14 13:00")
    await world.accept(requests[0])
    await world.refuse(requests[1])
    await world.defer(requests[2], utc("2026-06-14 14:00"))
    await world.hand_back(requests[3], "contact_behind")
    rows = await world.pool.fetch("SELECT DISTINCT state FROM plan")
    return [row["state"] for row in rows]


async def test_nothing_is_missing_whatever_has_become_of_the_rows(world: World) -> None:
    assert len(await a_busy_plan(world)) >= 6
    assert await missing(world) == 0
    assert await missing(world, limit=3) == 0


async def test_rows_that_got_lost_are_found_in_whatever_pieces(world: World) -> None:
    await a_busy_plan(world)
    gone = await world.pool.fetch(
        "DELETE FROM plan WHERE (local_day, person_id, kind) IN ("
        " SELECT local_day, person_id, kind FROM plan"
        " WHERE state IN ('waiting', 'released', 'accepted') AND person_id >= $1"
        " ORDER BY person_id LIMIT 5) RETURNING person_id",
        person_id(6),
    )
    assert len(gone) == 5
    for limit in (1, 4, 5000):
        assert await missing(world, limit=limit) == 5


async def test_a_day_that_is_not_wholly_planned_is_not_called_incomplete(world: World) -> None:
    await world.project(a_recipient(birthday="1990-06-14"))
    await world.open_days()
    assert await missing(world) == 0


async def test_a_day_that_was_closed_is_not_looked_through_when_it_opens_again(
    world: World,
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.lose(request)
    world.clock.set(utc("2026-06-19 12:00"))
    await close_done_days(world.pool, KINDS.values(), now=world.clock.now())
    await world.defer(request, world.clock.now())
    assert TODAY in await world.open_day_list()
    assert TODAY not in {one.local_day for one in await list_stretches(world.pool, KINDS.values())}


async def test_a_release_without_an_answer_counts_after_a_quarter_of_an_hour(
    world: World,
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    assert (await standing(world)).unanswered == 0
    await world.pool.execute("UPDATE plan SET released_at = released_at - interval '16 minutes'")
    assert (await standing(world)).unanswered == 1
    await world.accept(request)
    assert await standing(world) == BALANCED


async def test_a_day_that_cannot_close_counts_after_a_quarter_of_an_hour(world: World) -> None:
    await world.project(a_recipient(birthday="1990-06-14"))
    await world.plan()
    await world.release_at("2026-06-14 07:00")
    world.clock.set(utc("2026-06-19 12:00"))
    await close_done_days(world.pool, KINDS.values(), now=world.clock.now())
    found = await standing(world)
    assert (found.unclosed, found.unanswered) == (1, 0)


async def test_days_that_are_about_to_be_closed_do_not_count_yet(world: World) -> None:
    await world.plan()
    world.clock.set(utc("2026-06-16 12:00"))
    await close_done_days(world.pool, KINDS.values(), now=world.clock.now())
    world.clock.set(utc("2026-06-16 12:00") + timedelta(minutes=10))
    assert (await standing(world)).unclosed == 0


async def test_the_loop_shows_what_is_missing_and_zero_once_it_is_back(world: World) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    await paused(world)
    auditing = Auditing(world.pool, world.clock, KINDS)
    await a_round(auditing)
    assert shown("missing") == 0
    await world.pool.execute("DELETE FROM plan WHERE person_id = $1", person.person_id)
    await a_round(auditing)
    assert shown("missing") == 1
    await world.project(changed(person))
    await a_round(auditing)
    assert (shown("missing"), shown("unanswered"), shown("unclosed")) == (0, 0, 0)
    assert b"planner_open_pauses 1" in exposition()[0]


async def a_round(auditing: Auditing) -> None:
    for _ in range(200):
        if await auditing.step() > 1:
            return
    raise AssertionError("the round never ends")


def shown(cause: str) -> float:
    sample = f'planner_ledger_imbalance{{cause="{cause}"}} '
    lines = exposition()[0].decode().splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if sample in line)


async def test_late_answers_open_a_closed_day_and_its_next_closing_tells_the_truth(
    world: World,
) -> None:
    person = a_recipient(birthday="1990-06-14")
    await world.project(person)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.lose(request)
    world.clock.set(utc("2026-06-19 12:00"))
    for settle in (None, world.accept):
        if settle is not None:
            await settle(request)
        await close_done_days(world.pool, KINDS.values(), now=world.clock.now())
    rows = await world.pool.fetch(
        "SELECT body FROM outbox WHERE routing_key = 'plan.day_closed.v1' ORDER BY position"
    )
    told = [codec.decode("plan.day_closed.v1", b"[" + row["body"] + b"]")[0].data for row in rows]
    found = [
        (one.closing, one.owed, [entry.state for entry in one.account])
        for one in told
        if one.local_day == TODAY
    ]
    assert found == [(1, 1, ["unknown"]), (2, 1, ["accepted"])]
