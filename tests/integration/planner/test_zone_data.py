"""Which release of the zone data counts, and what happens to planners that have another."""

import asyncio
import logging
from typing import Any

import pytest

from libs.localtime import TZDATA_VERSION
from libs.runtime.stopping import Stopping
from services.planner.adapters.zone_data import OtherZoneDataError
from services.planner.app import adopting
from services.planner.app.adopting import (
    UnknownZonesError,
    adopt_release,
    begin_with_zone_data,
    find_release,
    preview_adoption,
    replan_next,
)
from services.planner.entrypoints.loops import Planning
from services.planner.entrypoints.zone_data import OTHER_ZONE_DATA, ZoneDataWatch, zone_data_check
from tests.integration.planner.world import World, keys_of
from tests.support.recipients import a_recipient, changed, day, utc

TODAY = day("2026-06-14")
BERLINER = a_recipient(birthday="1990-06-14")
AN_HOUR_EARLY = "UPDATE plan SET due_at = due_at - '1 hour'::interval, tzdata = 'older'"


async def count(world: World, release: str, *, replanned: bool = True) -> None:
    """Have a release count."""
    await world.pool.execute(
        "INSERT INTO zone_data (release, adopted_at, replanned_at) VALUES ($1, $2, $3)",
        release,
        world.clock.now(),
        world.clock.now() if replanned else None,
    )


async def planned_an_hour_early(world: World, *people: Any) -> None:
    """Have the plan made by an older release, by which everybody is due an hour earlier."""
    await world.project(*people)
    await world.plan()
    await world.pool.execute(AN_HOUR_EARLY)
    await world.pool.execute("UPDATE plan SET release_at = due_at WHERE state = 'waiting'")
    await count(world, "older")


async def test_a_first_start_adopts_what_the_process_has(world: World) -> None:
    now = world.clock.now()
    starts = (begin_with_zone_data(world.pool, now=now) for _ in range(4))
    assert {one and one.release for one in await asyncio.gather(*starts)} == {TZDATA_VERSION}
    assert await world.pool.fetchval("SELECT count(*) FROM zone_data") == 1


@pytest.mark.edge_case("EC-S-009")
async def test_a_planner_with_another_release_can_do_nothing(world: World) -> None:
    await world.project(BERLINER)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.open_days(horizon_days=5)
    await count(world, "newer")
    for work in (
        world.project(changed(BERLINER, zone="Asia/Tokyo")),
        world.plan_open_days(),
        world.release_day(TODAY),
        world.hand_back(request),
    ):
        with pytest.raises(OtherZoneDataError, match=r"python -m services\.planner tzdata"):
            await work
    assert await world.state(BERLINER, TODAY) == ("released", None)


async def test_a_planner_drains_once_another_release_counts(world: World) -> None:
    stopping = Stopping()
    watch, check = ZoneDataWatch(world.pool, stopping), zone_data_check(world.pool)
    await begin_with_zone_data(world.pool, now=world.clock.now())
    await watch.step()
    assert (stopping.is_set, await check()) == (False, None)
    await count(world, "newer")
    await watch.step()
    assert stopping.reason == OTHER_ZONE_DATA
    assert "made by newer" in (await check() or "")


async def test_nothing_is_released_while_rows_still_move(world: World) -> None:
    await planned_an_hour_early(world, BERLINER)
    await count(world, TZDATA_VERSION, replanned=False)
    assert await world.release_at("2026-06-14 06:30") == []
    assert "still move" in (await zone_data_check(world.pool)() or "")
    await Planning(world.pool, world.clock, world.kinds, horizon_days=4, slice_size=100).step()
    while await replan_next(world.pool, world.kinds, now=world.clock.now()):
        pass
    assert await world.release() == []
    assert keys_of(await world.release_at("2026-06-14 07:00")) == [(BERLINER.person_id, 1)]


@pytest.mark.edge_case("EC-S-006", "EC-S-012")
async def test_adopting_goes_on_where_it_was_interrupted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [a_recipient(birthday="1990-06-14") for _ in range(10)]
    await planned_an_hour_early(world, *people)
    monkeypatch.setattr(adopting, "ROWS_MOVED_AT_ONCE", 3)
    now = world.clock.now()
    await count(world, TZDATA_VERSION, replanned=False)
    assert await replan_next(world.pool, world.kinds, now=now)
    early = "SELECT count(*) FROM plan WHERE tzdata = 'older'"
    assert await world.pool.fetchval(early) == 7
    adoption = await adopt_release(world.pool, world.kinds, now=now)
    assert (adoption.rows, await world.pool.fetchval(early)) == (7, 0)
    adopted = await find_release(world.pool)
    assert adopted is not None
    assert (adopted.moved, adopted.replanned_at) == (10, now)


async def test_adopting_again_moves_nothing(world: World) -> None:
    await world.project(BERLINER)
    await world.plan()
    before = await world.row(BERLINER, TODAY)
    adoption = await adopt_release(world.pool, world.kinds, now=world.clock.now())
    assert adoption.rows == 0
    assert await world.row(BERLINER, TODAY) == before


async def test_what_is_answered_stays_where_it_was(world: World) -> None:
    await world.project(BERLINER)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.accept(request)
    await world.pool.execute(AN_HOUR_EARLY)
    assert (await preview_adoption(world.pool, world.kinds)).rows == 0


async def test_a_release_that_lacks_somebodys_zone_is_not_adopted(world: World) -> None:
    await planned_an_hour_early(world, BERLINER)
    await world.pool.execute("UPDATE recipients SET zone = 'Mars/Phobos'")
    with pytest.raises(UnknownZonesError, match="Mars/Phobos"):
        await adopt_release(world.pool, world.kinds, now=world.clock.now())
    adopted = await find_release(world.pool)
    assert adopted is not None
    assert adopted.release == "older"


@pytest.mark.edge_case("EC-ST-005")
async def test_who_lives_in_a_zone_nobody_knows_is_skipped_aloud(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    martian, neighbour = a_recipient(birthday="1990-06-14"), a_recipient(birthday="1990-06-14")
    await world.project(martian, neighbour)
    await world.pool.execute(
        "UPDATE celebrations SET zone = 'Mars/Phobos' WHERE person_id = $1", martian.person_id
    )
    with caplog.at_level(logging.WARNING):
        await world.plan()
    assert {key[1] for key in await world.planned()} == {neighbour.person_id}
    skipped = [record for record in caplog.records if record.message == "person.skipped"]
    assert [vars(record)["person_id"] for record in skipped] == [str(martian.person_id)]
    assert vars(skipped[0])["reason"] == "unknown_zone"


@pytest.mark.parametrize(
    ("change", "release_at"),
    [
        pytest.param("state = 'waiting'", "2026-06-14 07:00", id="waiting"),
        pytest.param(
            "state = 'deferred', reason = 'busy', release_at = '2026-06-14 06:30Z'",
            "2026-06-14 07:00",
            id="its retry would be early",
        ),
        pytest.param(
            "state = 'deferred', reason = 'busy', release_at = '2026-06-14 08:00Z'",
            "2026-06-14 08:00",
            id="its retry comes later",
        ),
        pytest.param(
            "state = 'released', release = 1, released_at = due_at, ask_at = due_at",
            "2026-06-14 07:00",
            id="asked for",
        ),
    ],
)
async def test_a_moved_row_is_never_released_before_its_instant(
    world: World, change: str, release_at: str
) -> None:
    await planned_an_hour_early(world, BERLINER)
    await world.pool.execute(f"UPDATE plan SET {change}")  # noqa: S608
    await adopt_release(world.pool, world.kinds, now=world.clock.now())
    row = await world.row(BERLINER, TODAY)
    assert (row["due_at"], row["release_at"]) == (utc("2026-06-14 07:00"), utc(release_at))
    assert (row["expires_at"], row["tzdata"]) == (utc("2026-06-16 07:00"), TZDATA_VERSION)
