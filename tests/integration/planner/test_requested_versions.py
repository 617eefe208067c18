"""A request names the newest version its planner went by: no dispatcher may go by an older one."""

import msgspec

from contracts.dispatch import DispatchRequested
from services.planner.adapters.releases import Window
from services.planner.app.releasing import ask_again
from services.planner.domain.recipient import Recipient
from tests.integration.planner.world import ASK_AFTER, World
from tests.support.recipients import a_recipient, changed, day, utc

ADA = a_recipient(birthday="1990-06-14")
WINDOW = Window(day("2026-06-10"), day("2026-06-20"))


def otherwise(person: Recipient, **given: object) -> Recipient:
    """Return the next version of ``person``, its schedule as it was."""
    return msgspec.structs.replace(person, version=person.version + 1, **given)


async def asked_again(world: World) -> list[DispatchRequested]:
    await world.pool.execute("UPDATE plan SET ask_at = clock_timestamp() WHERE ask_at IS NOT NULL")
    before = len(world.publisher.events())
    await ask_again(
        world.pool,
        world.publisher,
        WINDOW,
        now=world.clock.now(),
        limit=10,
        ask_after=ASK_AFTER,
    )
    return [one.data for one in world.publisher.events()[before:]]


async def test_someone_back_in_time_is_not_judged_by_when_they_had_opted_out(world: World) -> None:
    await world.project(ADA)
    await world.plan()
    out = otherwise(ADA, opt_outs=("birthday",))
    back = otherwise(out, opt_outs=(), opted_in_since={"birthday": utc("2026-06-14 06:00")})
    await world.project(out, back)
    (request,) = await world.release_at("2026-06-14 07:00")
    assert request.person_version == back.version


async def test_asking_again_goes_by_what_is_known_by_then(world: World) -> None:
    await world.project(ADA)
    await world.plan()
    await world.release_at("2026-06-14 07:00")
    await world.project(otherwise(ADA))
    (request,) = await asked_again(world)
    assert request.person_version == ADA.version + 1


async def test_asking_again_never_lends_an_old_instant_a_new_version(world: World) -> None:
    await world.project(ADA)
    await world.plan()
    await world.release_at("2026-06-14 07:00")
    await world.project(changed(ADA, zone="America/New_York"))
    (request,) = await asked_again(world)
    assert request.person_version == ADA.version


async def test_someone_met_while_they_had_left_is_greeted_if_they_came_back_in_time(
    world: World,
) -> None:
    await world.project(ADA)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    left = changed(ADA, is_active=False)
    await world.project(left, changed(left, is_active=True, active_since=utc("2026-06-14 06:59")))
    await world.suppress(request, "user_removed")
    assert await world.state(ADA, day("2026-06-14")) == ("waiting", None)


async def test_someone_who_left_and_is_not_heard_of_again_stays_suppressed(world: World) -> None:
    await world.project(ADA)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.suppress(request, "opted_out")
    assert await world.state(ADA, day("2026-06-14")) == ("suppressed", "opted_out")


async def test_someone_who_came_back_too_late_stays_suppressed(world: World) -> None:
    await world.project(ADA)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    left = changed(ADA, is_active=False)
    await world.project(left, changed(left, is_active=True, active_since=utc("2026-06-14 07:01")))
    await world.suppress(request, "user_removed")
    assert await world.state(ADA, day("2026-06-14")) == ("suppressed", "user_removed")
