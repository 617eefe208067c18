"""The product's table "Changes and races", row by row, as far as the planner decides it."""

from datetime import timedelta

import msgspec
import pytest

from contracts import dispatch
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, utc

TODAY = day("2026-06-14")
BERLINER = a_recipient(birthday="1990-06-14")


async def planned(world: World, *people: object) -> None:
    await world.project(*(people or (BERLINER,)))  # type: ignore[arg-type]
    await world.plan()


async def test_a_birthday_goes_out_at_nine_and_not_a_second_before(world: World) -> None:
    await planned(world)
    assert await world.release_at("2026-06-14 06:59:59") == []
    (request,) = await world.release_at("2026-06-14 07:00:00")
    assert (request.person_id, request.release) == (BERLINER.person_id, 1)
    assert (request.due_at, request.expires_at) == (
        utc("2026-06-14 07:00"),
        utc("2026-06-16 07:00"),
    )
    assert (request.period, request.years) == (day("2026-01-01"), 36)


async def test_a_released_birthday_is_not_released_again(world: World) -> None:
    await planned(world)
    await world.release_at("2026-06-14 07:00")
    assert await world.release_at("2026-06-14 08:00") == []


# zone changes before the send


async def test_a_zone_change_moves_the_same_occurrence(world: World) -> None:
    await planned(world)
    await world.project(changed(BERLINER, zone="America/New_York"))
    assert await world.release_at("2026-06-14 12:59:59") == []
    assert keys_of(await world.release_at("2026-06-14 13:00")) == [(BERLINER.person_id, 1)]
    assert len(await world.planned()) == 1


# zone changes after the send


async def test_a_zone_change_after_the_send_changes_nothing(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.accept(request)
    await world.project(changed(BERLINER, zone="America/New_York"))
    assert await world.state(BERLINER, TODAY) == ("accepted", None)
    assert await world.release_at("2026-06-14 13:00") == []


# zone moves east past 09:00 (or past midnight) while unsent


@pytest.mark.parametrize(
    ("moved_at", "zone"),
    [
        pytest.param("2026-06-14 12:00", "Europe/Berlin", id="past nine"),
        pytest.param("2026-06-14 12:59", "Pacific/Auckland", id="past midnight"),
    ],
)
async def test_moving_east_past_nine_sends_at_once(world: World, moved_at: str, zone: str) -> None:
    new_yorker = a_recipient(birthday="1990-06-14", zone="America/New_York")
    await planned(world, new_yorker)
    world.clock.set(utc(moved_at))
    await world.project(changed(new_yorker, zone=zone))
    (request,) = await world.release()
    assert request.due_at < utc(moved_at)


async def test_moving_east_sends_at_once_even_if_the_date_was_set_after_the_new_nine(
    world: World,
) -> None:
    set_at = utc("2026-06-14 10:00")
    new_yorker = a_recipient(
        birthday="1990-06-14", zone="America/New_York", dates_since={"birthday": set_at}
    )
    await planned(world, new_yorker)
    world.clock.set(utc("2026-06-14 12:00"))
    await world.project(changed(new_yorker, zone="Asia/Tokyo"))
    assert keys_of(await world.release()) == [(new_yorker.person_id, 1)]


async def test_registering_and_moving_in_one_batch_is_like_in_two(world: World) -> None:
    await world.plan()
    world.clock.set(utc("2026-06-14 12:00"))
    new_yorker = a_recipient(
        birthday="1990-06-14", zone="America/New_York", active_since=utc("2026-06-14 11:00")
    )
    await world.project(changed(new_yorker, zone="Asia/Tokyo"), new_yorker)
    assert keys_of(await world.release()) == [(new_yorker.person_id, 1)]


# date newly set to today before 09:00 local


async def test_a_date_set_before_nine_is_greeted_today(world: World) -> None:
    without = a_recipient()
    await planned(world, without)
    world.clock.set(utc("2026-06-14 06:00"))
    await world.project(
        changed(without, birthday="1990-06-14", dates_since={"birthday": utc("2026-06-14 06:00")})
    )
    assert keys_of(await world.release_at("2026-06-14 07:00")) == [(without.person_id, 1)]


# date newly set to today after 09:00 local; person created today after 09:00


async def test_a_date_set_after_nine_waits_for_next_year(world: World) -> None:
    without = a_recipient()
    await planned(world, without)
    await world.project(
        changed(without, birthday="1990-06-14", dates_since={"birthday": utc("2026-06-14 07:01")})
    )
    assert await world.find(without, TODAY) is None


async def test_who_registers_after_nine_waits_for_next_year(world: World) -> None:
    await world.plan()
    late = a_recipient(birthday="1990-06-14", active_since=utc("2026-06-14 07:00:01"))
    in_time = a_recipient(birthday="1990-06-14", active_since=utc("2026-06-14 07:00"))
    await world.project(late, in_time)
    assert {key[1] for key in await world.planned()} == {in_time.person_id}


async def test_planning_a_day_also_leaves_out_who_came_too_late(world: World) -> None:
    world.clock.set(utc("2026-06-14 12:00"))
    late = a_recipient(birthday="1990-06-14", active_since=utc("2026-06-14 07:00:01"))
    await planned(world, late)
    assert await world.planned() == set()


# date moved away while the message is already in the broker


async def test_a_date_moved_away_while_in_the_broker_ends_cancelled(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.project(changed(BERLINER, birthday="1990-07-01"))
    assert await world.state(BERLINER, TODAY) == ("released", None)
    await world.hand_back(request, "schedule_changed")
    assert await world.state(BERLINER, TODAY) == ("cancelled", "date_changed")


@pytest.mark.edge_case("EC-BD-015")
async def test_a_date_moved_away_before_the_release_ends_cancelled(world: World) -> None:
    await planned(world)
    await world.project(changed(BERLINER, birthday="1990-06-16"))
    assert await world.state(BERLINER, TODAY) == ("cancelled", "date_changed")
    assert await world.state(BERLINER, day("2026-06-16")) == ("waiting", None)
    assert await world.release_at("2026-06-14 07:00") == []


@pytest.mark.edge_case("EC-AN-012")
async def test_an_anniversary_changed_after_planning_is_cancelled_and_planned_anew(
    world: World,
) -> None:
    married = a_recipient(anniversary="2020-06-14")
    await planned(world, married)
    await world.project(changed(married, dates={"anniversary": "2020-06-15"}))
    before = await world.row(married, TODAY, "anniversary")
    assert (before["state"], before["reason"]) == ("cancelled", "date_changed")
    assert await world.release_at("2026-06-14 07:00") == []
    (request,) = await world.release_at("2026-06-15 07:00")
    assert (request.kind, request.local_day, request.years) == (
        "anniversary",
        day("2026-06-15"),
        6,
    )


# date removed and put back


async def test_a_date_removed_and_put_back_is_planned_again(world: World) -> None:
    await planned(world)
    removed = changed(BERLINER, birthday=None)
    await world.project(removed)
    back = changed(removed, birthday="1990-06-14", dates_since={"birthday": world.clock.now()})
    await world.project(back)
    assert await world.state(BERLINER, TODAY) == ("waiting", None)
    assert keys_of(await world.release_at("2026-06-14 07:00")) == [(BERLINER.person_id, 1)]


async def test_a_date_put_back_after_a_cancelled_release_gets_a_new_number(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    removed = changed(BERLINER, birthday=None)
    await world.project(removed)
    await world.hand_back(request)
    set_at = utc("2026-06-14 07:30")
    back = changed(
        removed, birthday="1990-06-14", zone="America/New_York", dates_since={"birthday": set_at}
    )
    await world.project(back)
    assert keys_of(await world.release_at("2026-06-14 13:00")) == [(BERLINER.person_id, 2)]


async def test_a_date_put_back_after_nine_stays_cancelled(world: World) -> None:
    await planned(world)
    removed = changed(BERLINER, birthday=None)
    await world.project(removed)
    set_at = {"birthday": utc("2026-06-14 07:30")}
    await world.project(changed(removed, birthday="1990-06-14", dates_since=set_at))
    assert await world.state(BERLINER, TODAY) == ("cancelled", "date_changed")


# date corrected after this year's greeting was sent


async def test_already_greeted_is_recorded_with_its_reason(world: World) -> None:
    await planned(world)
    (first,) = await world.release_at("2026-06-14 07:00")
    await world.accept(first)
    await world.project(changed(BERLINER, birthday="1990-06-16"))
    (second,) = await world.release_at("2026-06-16 07:00")
    assert second.period == first.period
    await world.suppress(second, "already_greeted")
    assert await world.state(BERLINER, TODAY) == ("accepted", None)
    assert await world.state(BERLINER, second.local_day) == ("suppressed", "already_greeted")


# person deleted, opted out or address suppressed


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        pytest.param({"is_active": False}, "user_removed", id="EC-UD-015 deleted"),
        pytest.param({"opt_outs": ("birthday",)}, "opted_out", id="opted out"),
        pytest.param(
            {"opt_outs": ("birthday",), "schedule_version": 1}, "opted_out", id="only opted out"
        ),
    ],
)
async def test_who_left_before_nine_is_suppressed_at_the_release(
    world: World, given: dict[str, object], reason: str
) -> None:
    await planned(world)
    await world.project(changed(BERLINER, **given))
    assert await world.state(BERLINER, TODAY) == ("waiting", None)
    assert await world.release_at("2026-06-14 07:00") == []
    assert await world.state(BERLINER, TODAY) == ("suppressed", reason)


@pytest.mark.parametrize(
    ("given", "reason"),
    [({"is_active": False}, "user_removed"), ({"opt_outs": ("birthday",)}, "opted_out")],
)
async def test_who_left_while_queued_is_suppressed_when_handed_back(
    world: World, given: dict[str, object], reason: str
) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.project(changed(BERLINER, **given))
    await world.hand_back(request)
    assert await world.state(BERLINER, TODAY) == ("suppressed", reason)


@pytest.mark.edge_case("EC-AN-011")
async def test_an_anniversary_of_someone_deleted_after_planning_is_not_requested(
    world: World,
) -> None:
    married = a_recipient(anniversary="2020-06-14")
    await planned(world, married)
    await world.project(changed(married, is_active=False))
    assert await world.release_at("2026-06-14 07:00") == []
    row = await world.row(married, TODAY, "anniversary")
    assert (row["state"], row["reason"], row["release"]) == ("suppressed", "user_removed", 0)


async def test_who_left_while_deferred_is_suppressed_at_the_retry(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.defer(request, utc("2026-06-14 07:10"))
    await world.project(changed(BERLINER, is_active=False))
    assert await world.release_at("2026-06-14 07:10") == []
    assert await world.state(BERLINER, TODAY) == ("suppressed", "user_removed")


async def test_who_is_restored_before_nine_is_greeted(world: World) -> None:
    await planned(world)
    deleted = changed(BERLINER, is_active=False)
    restored = changed(deleted, is_active=True, active_since=utc("2026-06-14 06:00"))
    await world.project(deleted)
    await world.project(restored)
    (request,) = await world.release_at("2026-06-14 07:00")
    assert request.person_version == restored.schedule_version


async def test_who_is_restored_after_nine_is_not_greeted(world: World) -> None:
    await planned(world)
    deleted = changed(BERLINER, is_active=False)
    await world.project(deleted)
    await world.release_at("2026-06-14 07:00")
    restored = changed(deleted, is_active=True, active_since=utc("2026-06-14 07:30"))
    await world.project(restored)
    assert await world.state(BERLINER, TODAY) == ("suppressed", "user_removed")


async def test_an_opt_in_that_arrives_late_still_counts(world: World) -> None:
    await planned(world)
    out = changed(BERLINER, opt_outs=("birthday",), schedule_version=1)
    await world.project(out)
    await world.release_at("2026-06-14 07:00")
    opted_in = {"birthday": utc("2026-06-14 06:59")}
    await world.project(changed(out, opt_outs=(), schedule_version=1, opted_in_since=opted_in))
    assert keys_of(await world.release()) == [(BERLINER.person_id, 1)]


async def test_an_opt_in_after_nine_waits_for_next_year(world: World) -> None:
    await planned(world)
    out = changed(BERLINER, opt_outs=("birthday",), schedule_version=1)
    await world.project(out)
    await world.release_at("2026-06-14 07:00")
    opted_in = {"birthday": utc("2026-06-14 07:01")}
    await world.project(changed(out, opt_outs=(), schedule_version=1, opted_in_since=opted_in))
    assert await world.release() == []
    assert await world.state(BERLINER, TODAY) == ("suppressed", "opted_out")


# events arrive twice, late, or out of order


async def test_the_highest_version_wins_in_any_order(world: World) -> None:
    await world.plan()
    second = changed(BERLINER, birthday="1990-06-15")
    third = changed(second, birthday="1990-06-16")
    for person in (second, third, BERLINER, second, third):
        await world.project(person)
    rows = await world.pool.fetch("SELECT local_day, state FROM plan ORDER BY local_day")
    assert [tuple(row) for row in rows] == [
        (day("2026-06-15"), "cancelled"),
        (day("2026-06-16"), "waiting"),
    ]


async def test_copies_of_an_event_change_nothing(world: World) -> None:
    await planned(world)
    before = await world.row(BERLINER, TODAY)
    assert await world.project(BERLINER, BERLINER) == 0
    assert await world.row(BERLINER, TODAY) == before


async def test_an_erased_person_is_not_brought_back_by_an_older_event(world: World) -> None:
    erased = msgspec.structs.replace(
        changed(changed(BERLINER)), is_active=False, dates={}, zone="UTC"
    )
    await world.project(erased)
    await world.project(BERLINER)
    await world.plan()
    assert await world.planned() == set()


# late: what is owed during an outage


async def test_what_was_owed_during_an_outage_goes_out_once_and_late(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-16 07:00")
    assert request.due_at == utc("2026-06-14 07:00")
    assert await world.release() == []


async def test_what_is_too_late_expires_and_is_listed(world: World) -> None:
    await planned(world)
    assert await world.release_at("2026-06-16 07:00:01") == []
    assert await world.state(BERLINER, TODAY) == ("expired", "too_late")


async def test_days_missed_in_an_outage_are_opened_and_accounted_for(world: World) -> None:
    await world.plan()
    forgotten = a_recipient(birthday="1990-06-25")
    recent = a_recipient(birthday="1990-07-01")
    await world.project(forgotten, recent)
    world.clock.set(utc("2026-07-02 12:00"))
    await world.plan()
    assert keys_of(await world.release()) == [(recent.person_id, 1)]
    assert await world.state(forgotten, day("2026-06-25")) == ("expired", "too_late")


# answers


async def test_a_deferred_occurrence_is_released_again_under_the_next_number(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.defer(request, utc("2026-06-14 07:00:02"))
    assert await world.release_at("2026-06-14 07:00:01") == []
    assert keys_of(await world.release_at("2026-06-14 07:00:02")) == [(BERLINER.person_id, 2)]


async def test_a_handed_back_release_waits_a_second_of_real_time(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    returned = dispatch.DeliveryReturned(
        local_day=TODAY,
        person_id=BERLINER.person_id,
        kind="birthday",
        release=request.release,
        reason="contact_behind",
    )
    await world.answer(dispatch.DELIVERY_RETURNED, returned, rate=600)
    row = await world.row(BERLINER, TODAY)
    assert (row["state"], row["release_at"]) == ("waiting", utc("2026-06-14 07:10"))


async def test_acceptance_wins_whatever_was_thought_before(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.refuse(request)
    await world.accept(request)
    assert await world.state(BERLINER, TODAY) == ("accepted", None)
    await world.refuse(request, release=2)
    assert await world.state(BERLINER, TODAY) == ("accepted", None)


async def test_what_settles_an_unknown_outcome_may_overtake_it(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.defer(request, utc("2026-06-14 08:00"))
    await world.lose(request)
    assert await world.state(BERLINER, TODAY) == ("deferred", "busy")


async def test_an_unknown_outcome_is_settled_later(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.lose(request)
    assert await world.state(BERLINER, TODAY) == ("unknown", "timeout")
    await world.refuse(request)
    assert await world.state(BERLINER, TODAY) == ("refused", "bad_mailbox")


async def test_an_answer_to_an_older_release_is_ignored(world: World) -> None:
    await planned(world)
    (first,) = await world.release_at("2026-06-14 07:00")
    await world.defer(first, utc("2026-06-14 07:01"))
    await world.release_at("2026-06-14 07:01")
    changes = [await world.refuse(first), await world.hand_back(first), await world.lose(first)]
    assert changes == [0, 0, 0]
    assert await world.state(BERLINER, TODAY) == ("released", None)


async def test_an_accepted_occurrence_nobody_planned_is_ignored(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    assert await world.accept(request, local_day=day("2026-06-15")) == 0


async def test_a_batch_may_hold_several_answers_about_one_occurrence(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    at = utc("2026-06-14 07:30")
    answers = [
        dispatch.DeliveryDeferred(
            local_day=TODAY,
            person_id=request.person_id,
            kind="birthday",
            release=release,
            reason="busy",
            retry_at=at + timedelta(minutes=release),
        )
        for release in (1, 2)
    ]
    await world.answer(dispatch.DELIVERY_DEFERRED, *answers)
    row = await world.row(BERLINER, TODAY)
    assert (row["release"], row["release_at"]) == (2, utc("2026-06-14 07:32"))


async def test_an_early_return_waits_for_the_instant(world: World) -> None:
    await planned(world)
    (request,) = await world.release_at("2026-06-14 07:00")
    world.clock.set(utc("2026-06-14 06:58"))
    await world.hand_back(request, "early")
    row = await world.row(BERLINER, TODAY)
    assert row["release_at"] == utc("2026-06-14 07:00")
