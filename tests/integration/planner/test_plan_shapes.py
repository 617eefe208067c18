"""How the hot statements are planned: pruned and by index, whatever the statistics say."""

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.envelope import MAX_BATCH_ITEMS
from contracts.kinds import KINDS
from libs.postgres.types import Connection
from services.planner.adapters.plan import instant_look_up, read_by_index
from services.planner.adapters.releases import Taken
from services.planner.adapters.sql import SQL
from services.planner.domain.falling import fallings, zone_instants
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, day, person_id, utc

TODAY = day("2026-06-14")
ZONES = ("Europe/Berlin", "Asia/Tokyo", "America/New_York")
NOW = utc("2026-06-14 07:00")


async def explained(connection: Connection, statement: str, *arguments: Any) -> str:
    """Return the statement's plan with these arguments, which the optimiser knows."""
    await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
    rows = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    return "\n".join(row[0] for row in rows)


@pytest.fixture(params=["never analysed", "analysed when empty", "full and analysed"])
async def a_world(world: World, request: pytest.FixtureRequest) -> World:
    """Return a world whose statistics are what they may be at nine o'clock."""
    await world.open_days()
    if request.param == "analysed when empty":
        await world.pool.execute("ANALYZE plan_20260614")
    await world.pool.execute(
        "INSERT INTO plan (local_day, person_id, kind, due_at, release_at, expires_at,"
        " person_version, zone, tzdata, period)"
        " SELECT $1, gen_random_uuid(), 'birthday', $2, $2, $2, 1, 'UTC', '', $1"
        " FROM generate_series(1, 20000)",
        TODAY,
        NOW,
    )
    # The server looks at people by itself, perhaps while hardly any is known.
    await world.project(a_recipient(), a_recipient())
    await world.pool.execute("ANALYZE recipients")
    if request.param == "full and analysed":
        await world.pool.execute("ANALYZE plan_20260614")
    return world


@pytest.mark.edge_case("EC-DB-023", "EC-PF-014")
async def test_the_release_reads_the_due_head_of_one_day(a_world: World) -> None:
    async with a_world.pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        plan = await explained(connection, SQL.release_due, NOW, TODAY, 500, timedelta(seconds=120))
    assert "Index Scan using plan_20260614_release_at_idx" in plan
    assert "Tid Scan on plan_20260614" in plan
    assert "Index Scan using recipients_pkey" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan
    assert "plan_20260613" not in plan


def test_a_released_row_is_returned_in_the_order_of_its_fields() -> None:
    returned = re.findall(r"(?:judged|plan)\.(\w+)", SQL.release_due.partition("RETURNING")[2])
    assert tuple(returned) == Taken.__struct_fields__


def whole_batches() -> dict[str, tuple[str, tuple[Any, ...]]]:
    """Return the statements that write or hold rows by key, each with a message full of answers."""
    days, people = [TODAY] * MAX_BATCH_ITEMS, [person_id(n) for n in range(MAX_BATCH_ITEMS)]
    kinds, releases = ["birthday"] * MAX_BATCH_ITEMS, [1] * MAX_BATCH_ITEMS
    keys = (days, people, kinds, releases)
    words, instants = ["spam"] * MAX_BATCH_ITEMS, [NOW] * MAX_BATCH_ITEMS
    moves = (kinds, words, releases, releases, instants, instants, instants, words, releases)
    return {
        "accept": (SQL.accept, (*keys, instants, words, [TODAY])),
        "settle": (SQL.settle, (*keys, words, "refused", NOW)),
        "defer": (SQL.defer, (*keys, words, instants)),
        "lock_returned": (SQL.lock_returned, keys),
        "list_outrun": (SQL.list_outrun, keys[:3]),
        "change_plan": (SQL.change_plan, (days, people, kinds, *moves, NOW, "")),
    }


@pytest.mark.parametrize("name", whole_batches())
@pytest.mark.parametrize("a_world", ["never analysed", "full and analysed"], indirect=True)
async def test_a_message_of_answers_finds_its_rows_by_key(a_world: World, name: str) -> None:
    statement, arguments = whole_batches()[name]
    async with a_world.pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        plan = await explained(connection, statement, *arguments)
    assert "Index Scan using plan_20260614_pkey" in plan
    assert "Index Cond: ((person_id = " in plan
    assert "Materialize" not in plan
    assert "Seq Scan" not in plan
    assert "plan_20260613" not in plan


async def test_the_next_release_is_the_head_of_each_open_day(a_world: World) -> None:
    window = (day("2026-06-12"), day("2026-06-15"))
    async with a_world.pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        plan = await explained(connection, SQL.list_next_releases, *window)
    assert "plan_20260614_release_at_idx" in plan
    assert "plan_20260616" not in plan


@pytest.mark.parametrize("statement", [SQL.plan_new, SQL.plan_owed], ids=["new", "owed"])
async def test_planning_a_slice_reads_one_bucket_and_looks_instants_up(
    world: World, statement: str
) -> None:
    falls = fallings(KINDS.values(), [TODAY])
    arguments = (
        [msgspec.structs.astuple(falling) for falling in falls],
        instant_look_up(zone_instants(falls, ["Europe/Berlin"])),
        [614],
        person_id(1),
        person_id(2),
        None,
        "",
    )
    async with world.pool.acquire() as connection, connection.transaction():
        plan = await explained(connection, statement, *arguments)
    assert "celebrations_0614" in plan
    assert "celebrations_0615" not in plan
    assert "Function Scan on owed" not in plan
    assert plan.count("Function Scan") == 2  # the falls, and the zones somebody has left


def test_what_is_planned_anew_is_what_is_owed() -> None:
    new, owed = (text[text.index("\nSELECT") :] for text in (SQL.plan_new, SQL.plan_owed))
    assert new[: new.index("ORDER BY")] == owed[: owed.index("ORDER BY")]


async def test_what_is_due_together_lies_side_by_side(world: World) -> None:
    people = [
        a_recipient(person_id=person_id(n), birthday="1990-06-14", zone=ZONES[n % len(ZONES)])
        for n in range(20)
    ]
    await world.project(*people)
    await world.plan()
    rows = await world.pool.fetch("SELECT due_at FROM plan_20260614 ORDER BY ctid")
    assert [row["due_at"] for row in rows] == sorted(row["due_at"] for row in rows)


async def test_a_planned_day_is_known_to_the_server(world: World) -> None:
    await world.open_days()
    await world.pool.execute("ANALYZE plan_20260614")
    await world.project(*(a_recipient(birthday="1990-06-14") for _ in range(60)))
    await world.plan()
    known = "SELECT reltuples::int FROM pg_class WHERE relname = 'plan_20260614'"
    assert await world.pool.fetchval(known) == 60
