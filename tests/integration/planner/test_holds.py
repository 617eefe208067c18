"""Pauses and cancellations: what they hold, from when on, and what becomes of it."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from contracts import codec
from services.planner.app.cancelling import cancel
from services.planner.app.following import follow_next_hold
from services.planner.app.pausing import list_pauses, pause, resume
from services.planner.app.upkeep import close_done_days
from services.planner.domain.holds import Cancellation, Pause
from services.planner.domain.recipient import Recipient
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, person_id, utc
from tests.support.town import until

TODAY = day("2026-06-14")
NINE = "2026-06-14 07:00"
TWICE = a_recipient(birthday="1990-06-14", anniversary="2020-06-14")
BERLINER = a_recipient(birthday="1990-06-14")


async def planned(world: World, *people: Recipient) -> None:
    await world.project(*people)
    await world.plan()


async def paused(
    world: World, *, person: Recipient | None = None, kind: str | None = None
) -> Pause:
    held, _ = await pause(
        world.pool,
        person_id=None if person is None else person.person_id,
        kind=kind,
        reason=None,
        now=world.clock.now(),
        by="tests",
    )
    return held


async def resumed(world: World, held: Pause) -> None:
    await resume(world.pool, held.pause_id, now=world.clock.now(), by="tests")
    await followed(world)


async def called_off(
    world: World,
    *,
    person: Recipient | None = None,
    kind: str | None = None,
    first: date = TODAY,
    last: date = TODAY,
) -> Cancellation:
    cancellation, _ = await cancel(
        world.pool,
        person_id=None if person is None else person.person_id,
        kind=kind,
        first_day=first,
        last_day=last,
        reason=None,
        now=world.clock.now(),
        by="tests",
    )
    await followed(world)
    return cancellation


async def followed(world: World, *, limit: int = 1000) -> list[int]:
    """Have everything follow; return how many rows each slice changed."""
    changes = []
    while (
        change := await follow_next_hold(world.pool, now=world.clock.now(), limit=limit)
    ) is not None:
        changes.append(change)
    return changes


async def told(world: World) -> list[Any]:
    """Return what the outbox holds."""
    rows = await world.pool.fetch("SELECT routing_key, body FROM outbox ORDER BY position")
    return [
        item for row in rows for item in codec.decode(row["routing_key"], b"[" + row["body"] + b"]")
    ]


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({}, id="everything"),
        pytest.param({"kind": "birthday"}, id="the kind"),
        pytest.param({"person": BERLINER}, id="the person"),
        pytest.param({"person": BERLINER, "kind": "birthday"}, id="the person's kind"),
    ],
)
async def test_what_is_paused_waits_and_goes_out_late_when_resumed(
    world: World, scope: dict[str, Any]
) -> None:
    await planned(world, BERLINER)
    held = await paused(world, **scope)
    assert await world.release_at(NINE) == []
    assert await world.state(BERLINER, TODAY) == ("waiting", "paused")
    world.clock.set(utc("2026-06-14 08:00"))
    await resumed(world, held)
    (request,) = await world.release()
    assert (request.due_at, request.release) == (utc(NINE), 1)


@pytest.mark.parametrize(
    "scope",
    [
        pytest.param({"kind": "anniversary"}, id="another kind"),
        pytest.param({"person": TWICE}, id="another person"),
    ],
)
async def test_what_is_not_paused_goes_out(world: World, scope: dict[str, Any]) -> None:
    await planned(world, BERLINER)
    await paused(world, **scope)
    assert keys_of(await world.release_at(NINE)) == [(BERLINER.person_id, 1)]


async def test_a_paused_row_is_judged_once_and_not_again(world: World) -> None:
    await planned(world, BERLINER)
    await paused(world)
    world.clock.set(utc(NINE))
    assert [row.verdict for row in await world.release_day(TODAY)] == ["paused"]
    world.clock.set(utc("2026-06-14 12:00"))
    assert await world.release_day(TODAY) == []


async def test_a_paused_row_that_a_rebuild_doubts_is_asked_for_once_when_it_is_too_late(
    world: World,
) -> None:
    await planned(world, BERLINER)
    await paused(world)
    await world.pool.execute("UPDATE plan SET requested_version = 0")
    assert await world.release_at(NINE) == []
    (request,) = await world.release_at("2026-06-16 07:01")
    assert await world.release() == []
    await world.hand_back(request, "expired")
    assert await world.release_at("2026-06-16 07:02") == []
    assert await world.state(BERLINER, TODAY) == ("expired", "paused")
    assert await world.release_day(TODAY) == []


async def test_resuming_one_of_two_pauses_leaves_what_the_other_holds(world: World) -> None:
    await planned(world, TWICE, BERLINER)
    of_person = await paused(world, person=TWICE)
    of_kind = await paused(world, kind="birthday")
    assert await world.release_at(NINE) == []
    await resumed(world, of_person)
    assert [(one.person_id, one.kind) for one in await world.release()] == [
        (TWICE.person_id, "anniversary")
    ]
    await resumed(world, of_kind)
    assert {(one.person_id, one.kind) for one in await world.release()} == {
        (TWICE.person_id, "birthday"),
        (BERLINER.person_id, "birthday"),
    }


async def test_what_is_paused_before_nine_and_resumed_before_nine_is_on_time(world: World) -> None:
    await planned(world, BERLINER)
    await resumed(world, await paused(world))
    assert await world.release() == []
    assert keys_of(await world.release_at(NINE)) == [(BERLINER.person_id, 1)]


async def test_what_becomes_too_late_while_paused_expires(world: World) -> None:
    await planned(world, BERLINER)
    held = await paused(world)
    await world.release_at(NINE)
    assert await world.release_at("2026-06-16 07:00:00") == []
    assert await world.state(BERLINER, TODAY) == ("waiting", "paused")
    assert await world.release_at("2026-06-16 07:00:01") == []
    assert await world.state(BERLINER, TODAY) == ("expired", "paused")
    await resumed(world, held)
    assert await world.release() == []


async def test_what_is_resumed_too_late_expires(world: World) -> None:
    await planned(world, BERLINER)
    held = await paused(world)
    await world.release_at(NINE)
    world.clock.set(utc("2026-06-16 07:00:01"))
    await resumed(world, held)
    assert await world.release() == []
    assert (await world.state(BERLINER, TODAY))[0] == "expired"


async def test_what_was_queued_when_it_was_paused_waits(world: World) -> None:
    await planned(world, BERLINER)
    (request,) = await world.release_at(NINE)
    held = await paused(world)
    await world.hand_back(request, "paused")
    assert await world.state(BERLINER, TODAY) == ("waiting", "paused")
    world.clock.set(utc("2026-06-14 09:00"))
    assert await world.release() == []
    await resumed(world, held)
    assert keys_of(await world.release()) == [(BERLINER.person_id, 2)]


async def test_what_comes_back_as_paused_after_the_pause_was_resumed_is_due_again(
    world: World,
) -> None:
    await planned(world, BERLINER)
    (request,) = await world.release_at(NINE)
    await resumed(world, await paused(world))
    await world.hand_back(request, "paused")
    assert keys_of(await world.release_at("2026-06-14 07:00:01")) == [(BERLINER.person_id, 2)]


async def test_a_deferred_occurrence_can_be_paused_and_resumed(world: World) -> None:
    await planned(world, BERLINER)
    (request,) = await world.release_at(NINE)
    await world.defer(request, utc("2026-06-14 07:10"))
    held = await paused(world)
    assert await world.release_at("2026-06-14 07:10") == []
    await resumed(world, held)
    assert keys_of(await world.release()) == [(BERLINER.person_id, 2)]


@pytest.mark.parametrize(
    ("change", "due"),
    [
        pytest.param({"zone": "America/New_York"}, "2026-06-14 13:00", id="zone"),
        pytest.param({"birthday": "1990-06-15"}, "2026-06-15 07:00", id="date"),
    ],
)
async def test_a_person_who_changes_while_paused_is_greeted_as_they_are_then(
    world: World, change: dict[str, Any], due: str
) -> None:
    await planned(world, BERLINER)
    held = await paused(world, person=BERLINER)
    assert await world.release_at(NINE) == []
    await world.project(changed(BERLINER, **change))
    assert await world.release_at(due) == []
    await resumed(world, held)
    (request,) = await world.release()
    assert (request.due_at, request.person_version) == (utc(due), 2)


async def test_who_leaves_while_paused_is_not_greeted(world: World) -> None:
    await planned(world, BERLINER)
    held = await paused(world)
    await world.release_at(NINE)
    await world.project(changed(BERLINER, is_active=False))
    await resumed(world, held)
    assert await world.release() == []
    assert await world.state(BERLINER, TODAY) == ("suppressed", "user_removed")


async def test_a_resumption_waits_for_whoever_judged_before_it(world: World) -> None:
    """Else a row put off just then would be missed, and wait until it expires."""
    await planned(world, BERLINER)
    held = await paused(world)
    world.clock.set(utc(NINE))
    async with world.pool.acquire() as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock_shared(hashtext('planner.holds'))")
        resuming = asyncio.create_task(resumed(world, held))
        await until(lambda: waits_for_a_lock(world))
        assert not resuming.done()
    await resuming
    assert keys_of(await world.release()) == [(BERLINER.person_id, 1)]


async def waits_for_a_lock(world: World) -> bool | None:
    waiting = await world.pool.fetchval(
        "SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = database"
        " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
    )
    return bool(waiting) or None


async def test_releases_pauses_and_resumptions_beside_each_other_lose_and_double_nobody(
    world: World,
) -> None:
    people = [a_recipient(person_id=person_id(n), birthday="1990-06-14") for n in range(300)]
    await planned(world, *people)
    world.clock.set(utc(NINE))

    async def release_some() -> None:
        for _ in range(30):
            await world.release_day(TODAY, limit=7)

    async def hold_and_let_go() -> None:
        for number in range(8):
            held = await paused(world, kind=("birthday", None)[number % 2])
            await resumed(world, held)

    await asyncio.gather(release_some(), release_some(), hold_and_let_go())
    await followed(world)
    while await world.release_day(TODAY):
        pass
    requests = [event.data for event in world.publisher.events()]
    assert sorted(keys_of(requests)) == [(person.person_id, 1) for person in people]


async def test_rows_come_back_in_bounded_slices(world: World) -> None:
    people = [a_recipient(person_id=person_id(n), birthday="1990-06-14") for n in range(25)]
    await planned(world, *people)
    held = await paused(world)
    await world.release_at(NINE)
    await resume(world.pool, held.pause_id, now=world.clock.now(), by="tests")
    changes = await followed(world, limit=10)
    assert sorted(changes, reverse=True)[:3] == [10, 10, 5]
    assert len(await world.release()) == 25


async def test_pausing_twice_is_pausing_once(world: World) -> None:
    first, second = await paused(world, kind="birthday"), await paused(world, kind="birthday")
    assert first == second
    assert [event.type for event in await told(world)] == ["plan.paused.v1"]


async def test_resuming_twice_is_resuming_once(world: World) -> None:
    held = await paused(world)
    first = await resume(world.pool, held.pause_id, now=world.clock.now(), by="tests")
    second = await resume(world.pool, held.pause_id, now=utc("2026-07-01 00:00"), by="others")
    assert first == second
    assert first is not None
    assert (first.resumed_by, first.resumed_at) == ("tests", world.clock.now())
    assert [event.type for event in await told(world)] == ["plan.paused.v1", "plan.resumed.v1"]
    assert await list_pauses(world.pool, only_open=True, before=None, limit=9) == []
    assert await list_pauses(world.pool, only_open=False, before=None, limit=9) == [first]


async def test_resuming_what_was_never_paused_finds_nothing(world: World) -> None:
    nothing = UUID(int=7)
    assert await resume(world.pool, nothing, now=world.clock.now(), by="tests") is None


# cancellations


async def test_what_waits_is_called_off_at_once(world: World) -> None:
    await planned(world, TWICE, BERLINER)
    cancellation = await called_off(world, kind="birthday")
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")
    assert [one.kind for one in await world.release_at(NINE)] == ["anniversary"]
    (news,) = await told(world)
    assert (news.type, news.data.cancellation_id) == (
        "plan.cancelled.v1",
        cancellation.cancellation_id,
    )


async def test_what_is_planned_later_is_called_off_as_well(world: World) -> None:
    await world.plan()
    await called_off(world, first=TODAY, last=day("2026-12-31"))
    await world.project(BERLINER, a_recipient(birthday="1990-06-20"))
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")
    world.clock.set(utc("2026-06-18 12:00"))
    await world.plan()
    states = await world.pool.fetch("SELECT DISTINCT state, reason FROM plan")
    assert [tuple(row) for row in states] == [("cancelled", "called_off")]


async def test_other_days_are_not_called_off(world: World) -> None:
    tomorrow = a_recipient(birthday="1990-06-15")
    await planned(world, BERLINER, tomorrow)
    await called_off(world)
    assert await world.state(tomorrow, day("2026-06-15")) == ("waiting", None)


async def test_what_was_queued_is_called_off_when_it_comes_back(world: World) -> None:
    await planned(world, BERLINER)
    (request,) = await world.release_at(NINE)
    await called_off(world)
    assert await world.state(BERLINER, TODAY) == ("released", None)
    await world.hand_back(request, "cancelled")
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")


async def test_what_was_queued_and_deferred_is_called_off_at_the_retry(world: World) -> None:
    await planned(world, BERLINER)
    (request,) = await world.release_at(NINE)
    await called_off(world)
    await world.defer(request, utc("2026-06-14 07:10"))
    assert await world.release_at("2026-06-14 07:10") == []
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")


async def test_what_was_called_off_is_not_revived_by_a_change(world: World) -> None:
    await planned(world, BERLINER)
    await called_off(world)
    moved = changed(BERLINER, zone="America/New_York")
    away = changed(moved, birthday="1990-06-20")
    back = changed(away, birthday="1990-06-14", dates_since={"birthday": world.clock.now()})
    for version in (moved, away, back):
        await world.project(version)
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")


async def test_a_date_moved_away_and_back_into_called_off_days_stays_called_off(
    world: World,
) -> None:
    await planned(world, BERLINER)
    away = changed(BERLINER, birthday="1990-06-20")
    await world.project(away)
    await called_off(world)
    assert await world.state(BERLINER, TODAY) == ("cancelled", "date_changed")
    back = changed(away, birthday="1990-06-14", dates_since={"birthday": world.clock.now()})
    await world.project(back)
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")


async def test_what_is_paused_can_be_called_off_and_stays_so_when_resumed(world: World) -> None:
    await planned(world, BERLINER)
    held = await paused(world)
    await world.release_at(NINE)
    await called_off(world, person=BERLINER)
    await resumed(world, held)
    assert await world.release() == []
    assert await world.state(BERLINER, TODAY) == ("cancelled", "called_off")


async def test_cancelling_twice_is_cancelling_once(world: World) -> None:
    first, second = await called_off(world), await called_off(world)
    assert first == second
    assert first.cancelled_by == "tests"
    assert len(await told(world)) == 1


async def test_rows_are_called_off_in_bounded_slices(world: World) -> None:
    people = [a_recipient(person_id=person_id(n), birthday="1990-06-14") for n in range(25)]
    await planned(world, *people)
    await cancel(
        world.pool,
        person_id=None,
        kind=None,
        first_day=TODAY,
        last_day=day("2030-01-01"),
        reason=None,
        now=world.clock.now(),
        by="tests",
    )
    changes = await followed(world, limit=10)
    assert sorted(changes, reverse=True)[:3] == [10, 10, 5]


async def test_a_planner_that_dies_while_rows_follow_leaves_the_rest_to_the_next(
    world: World,
) -> None:
    people = [a_recipient(person_id=person_id(n), birthday="1990-06-14") for n in range(25)]
    await planned(world, *people)
    held = await paused(world)
    await world.release_at(NINE)
    await resume(world.pool, held.pause_id, now=world.clock.now(), by="tests")
    await follow_next_hold(world.pool, now=world.clock.now(), limit=10)
    left = "SELECT count(*) FROM plan WHERE reason = 'paused'"
    assert 0 < await world.pool.fetchval(left) <= 25
    await asyncio.gather(followed(world, limit=10), followed(world, limit=10))
    assert await world.pool.fetchval(left) == 0


async def test_a_day_with_held_occurrences_balances_and_closes(world: World) -> None:
    others = [a_recipient(birthday="1990-06-14") for _ in range(3)]
    await planned(world, *others)
    await called_off(world, person=others[0])
    await paused(world, person=others[1])
    (request,) = await world.release_at(NINE)
    await world.accept(request)
    await world.release_at("2026-06-19 12:00")
    closed = await close_done_days(world.pool, world.kinds.values(), now=world.clock.now())
    assert TODAY in closed
    (news,) = [
        event.data
        for event in await told(world)
        if event.type == "plan.day_closed.v1" and event.data.local_day == TODAY
    ]
    assert (news.owed, news.closing) == (3, 1)
    assert {(one.state, one.reason, one.count) for one in news.account} == {
        ("accepted", None, 1),
        ("cancelled", "called_off", 1),
        ("expired", "paused", 1),
    }


async def test_what_was_held_can_be_ended_but_not_rewritten(world: World) -> None:
    granted = await world.pool.fetch(
        "SELECT table_name, privilege_type FROM information_schema.table_privileges"
        " WHERE table_name IN ('pauses', 'cancellations') AND grantee = current_user"
    )
    may = {(row["table_name"], row["privilege_type"]) for row in granted}
    assert {one for one in may if one[1] in {"UPDATE", "TRUNCATE"}} == set()
    columns = await world.pool.fetch(
        "SELECT column_name FROM information_schema.column_privileges"
        " WHERE table_name = 'pauses' AND privilege_type = 'UPDATE' AND grantee = current_user"
    )
    assert {row["column_name"] for row in columns} == {"resumed_at", "resumed_by"}
