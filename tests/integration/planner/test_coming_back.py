"""The plan agrees with the rule, whatever order and how late people's versions arrive in."""

from collections.abc import Callable
from datetime import timedelta
from itertools import permutations

import pytest

from services.planner.domain.decision import decide
from services.planner.domain.recipient import Recipient
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, utc

TODAY = day("2026-06-14")
NINE_IN_BERLIN = utc("2026-06-14 07:00")
HOUR = timedelta(hours=1)
ORDERS = list(permutations(range(3)))

Versions = Callable[[Recipient], list[Recipient]]


def opted_out_and_in(person: Recipient) -> list[Recipient]:
    out = changed(person, opt_outs=("birthday",), schedule_version=person.schedule_version)
    since = {"birthday": NINE_IN_BERLIN + 3 * HOUR}
    back = changed(out, opt_outs=(), opted_in_since=since, schedule_version=out.schedule_version)
    return [person, out, back]


def deleted_and_restored(person: Recipient) -> list[Recipient]:
    gone = changed(person, is_active=False)
    return [person, gone, changed(gone, is_active=True, active_since=NINE_IN_BERLIN + 3 * HOUR)]


def removed_and_set_again(person: Recipient) -> list[Recipient]:
    without = changed(person, birthday=None)
    since = {"birthday": NINE_IN_BERLIN + 3 * HOUR}
    return [person, without, changed(without, birthday="1990-06-14", dates_since=since)]


@pytest.mark.parametrize("come_back", [opted_out_and_in, deleted_and_restored])
async def test_who_was_away_at_nine_is_not_greeted_when_back(
    world: World, come_back: Versions
) -> None:
    """The planner was down from before nine until the person was back."""
    versions = come_back(a_recipient(birthday="1990-06-14"))
    await world.project(versions[0])
    await world.plan()
    world.clock.set(NINE_IN_BERLIN + 5 * HOUR)
    await world.project(*versions[1:])
    assert await world.release() == []
    state, reason = await world.state(versions[0], TODAY)
    assert (state, reason) in {("suppressed", "opted_out"), ("suppressed", "user_removed")}


@pytest.mark.parametrize(
    "come_back", [opted_out_and_in, deleted_and_restored, removed_and_set_again]
)
@pytest.mark.parametrize("order", ORDERS)
async def test_nobody_away_at_nine_is_greeted_in_whatever_order_it_is_told(
    world: World, come_back: Versions, order: tuple[int, ...]
) -> None:
    versions = come_back(a_recipient(birthday="1990-06-14"))
    await world.plan()
    world.clock.set(NINE_IN_BERLIN + 5 * HOUR)
    for number in order:
        await world.project(versions[number])
    assert await world.release() == []
    assert not decide(versions[-1], world.kinds["birthday"], TODAY).is_owed


@pytest.mark.edge_case("EC-TZ-024", "EC-S-014")
@pytest.mark.parametrize("order", ORDERS)
async def test_registering_and_moving_east_twice_is_greeted_once_in_any_order(
    world: World, order: tuple[int, ...]
) -> None:
    registered_at = utc("2026-06-14 11:00")
    first = a_recipient(birthday="1990-06-14", zone="America/New_York", active_since=registered_at)
    left = {"America/New_York": registered_at + HOUR}
    second = changed(first, zone="Asia/Tokyo", zones_left=left)
    left_again = {**left, "Asia/Tokyo": registered_at + 2 * HOUR}
    third = changed(second, zone="Pacific/Auckland", zones_left=left_again)
    await world.plan()
    world.clock.set(registered_at + 3 * HOUR)
    for number in order:
        await world.project((first, second, third)[number])
    assert keys_of(await world.release()) == [(first.person_id, 1)]
    assert await world.release() == []


async def test_a_zone_left_before_registering_again_makes_nothing_owed(world: World) -> None:
    restored_at = utc("2026-06-14 13:30")
    person = a_recipient(
        birthday="1990-06-14",
        zone="Asia/Tokyo",
        active_since=restored_at,
        zones_left={"America/New_York": utc("2026-06-14 12:00")},
    )
    await world.plan()
    await world.project(person)
    assert await world.planned() == set()


async def test_slices_know_the_zones_left_as_well(world: World) -> None:
    registered_at = utc("2026-06-14 11:00")
    person = a_recipient(
        birthday="1990-06-14",
        zone="Asia/Tokyo",
        active_since=registered_at,
        zones_left={"America/New_York": registered_at + HOUR},
    )
    await world.project(person)
    world.clock.set(registered_at + 2 * HOUR)
    await world.plan()
    assert keys_of(await world.release()) == [(person.person_id, 1)]


async def test_who_moved_on_while_greeted_late_stays_owed(world: World) -> None:
    """An opt-in of long ago does not end what a move has brought before it."""
    since = {"birthday": utc("2026-06-14 05:00")}
    person = a_recipient(birthday="1990-06-14", zone="America/New_York", opted_in_since=since)
    await world.project(person)
    await world.plan()
    moved = changed(
        person, zone="Asia/Tokyo", zones_left={"America/New_York": utc("2026-06-14 12:00")}
    )
    world.clock.set(utc("2026-06-14 12:00"))
    await world.project(moved)
    other = changed(moved, opted_in_since={**since, "anniversary": utc("2026-06-14 12:00")})
    await world.project(other)
    assert keys_of(await world.release()) == [(person.person_id, 1)]
