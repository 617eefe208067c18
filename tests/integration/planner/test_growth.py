"""What planning and releasing cost as the tables grow: only what is owed counts."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts.dispatch import DELIVERY_REFUSED, DeliveryRefused
from contracts.kinds import KINDS
from libs.clock import FrozenClock, monotonic_s
from libs.postgres.pool import open_pool
from libs.postgres.types import Connection, Pool
from services.planner.adapters.plan import instant_look_up, read_by_index
from services.planner.adapters.sql import SQL
from services.planner.domain.falling import fallings, zone_instants
from services.planner.wiring import MIGRATIONS
from tests.integration.planner.conftest import START
from tests.integration.planner.world import World, key_of, keys_of
from tests.support.databases import fresh_database
from tests.support.publishers import FakePublisher
from tests.support.recipients import a_recipient, day, utc
from tests.support.statements import statements_of

TODAY = day("2026-06-14")
BUCKET = 614
FALLS = fallings(KINDS.values(), [TODAY])
OWED = [
    [msgspec.structs.astuple(falling) for falling in FALLS],
    instant_look_up(zone_instants(FALLS, ["Europe/Berlin"])),
    [BUCKET],
    None,
    None,
    None,
    "",
]


async def crowd(pool: Pool, people: int, *, buckets: list[int]) -> None:
    """File celebrations of so many people, all in Berlin, evenly in some buckets."""
    await pool.execute(
        "INSERT INTO celebrations"
        " (bucket, person_id, kind, zone, leap_day, origin, since, person_version)"
        " SELECT ($2::int[])[1 + number % cardinality($2)], gen_random_uuid(), 'birthday',"
        " 'Europe/Berlin', 'feb28', '1990-06-14', '2020-01-01', 1"
        " FROM generate_series(1, $1::int) AS number",
        people,
        buckets,
    )


async def pages_read(connection: Connection, statement: str, *arguments: Any) -> tuple[int, str]:
    """Run a statement and return how many pages it touched, and its plan."""
    rows = await connection.fetch(
        f"EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, COSTS OFF) {statement}", *arguments
    )
    text = "\n".join(row[0] for row in rows)
    found = re.search(r"Buffers: shared([^\n]*)", text)
    assert found is not None
    return sum(int(pages) for pages in re.findall(r"(?:hit|read)=(\d+)", found[1])), text


async def planned(pool: Pool, statement: str, *arguments: Any) -> str:
    """Return how the server would run a statement of the hot path with these arguments."""
    async with pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    return "\n".join(row[0] for row in rows)


@pytest.mark.edge_case("EC-DB-021")
async def test_who_has_a_birthday_today_costs_the_same_among_ten_times_as_many(
    world: World,
) -> None:
    """So among ten million as well: only the bucket of the day is read, by its key."""
    # What tests before this one left dead in the bucket is none of its people.
    await world.pool.execute(f"VACUUM FULL celebrations_{BUCKET:04}")
    await crowd(world.pool, 500, buckets=[BUCKET])
    read: list[int] = []
    for others in (20_000, 180_000):
        await crowd(world.pool, others, buckets=[*range(701, 729)])
        async with world.pool.acquire() as connection:
            statement = "SELECT owed.person_id, owed.due_at FROM owed($1::falling[], $2::jsonb)"
            statement += " AS owed WHERE owed.bucket = ANY ($3::smallint[])"
            pages, plan = await pages_read(connection, statement, *OWED[:3])
        assert set(re.findall(r"celebrations_\d{4}", plan)) == {f"celebrations_{BUCKET:04}"}
        read.append(pages)
    assert read[1] <= read[0] + 2
    # From end to end, or by the key: at most a page or two for each person of the day.
    assert read[0] <= 2 * 500


@pytest.mark.edge_case("EC-PF-018")
async def test_ten_thousand_rows_are_planned_in_little_more_than_it_takes_to_insert_them(
    world: World,
) -> None:
    await world.open_days()
    await crowd(world.pool, 10_000, buckets=[BUCKET])
    await world.pool.execute("ANALYZE celebrations_0614")
    took_s: dict[str, float] = {}
    async with world.pool.acquire() as connection:
        for what, statement, arguments in (
            ("planned", SQL.plan_owed, OWED),
            ("copied", COPY_PLAN, [TODAY]),
        ):
            started_s = monotonic_s()
            await connection.execute(statement, *arguments)
            took_s[what] = monotonic_s() - started_s
    assert await world.pool.fetchval("SELECT count(*) FROM plan") == 20_000
    assert took_s["planned"] < 3 * took_s["copied"]


COPY_PLAN = """
INSERT INTO plan (
    local_day, person_id, kind, due_at, release_at, expires_at, person_version, zone, tzdata,
    period, years
)
SELECT
    local_day, gen_random_uuid(), kind, due_at, release_at, expires_at, person_version, zone,
    tzdata, period, years
FROM plan WHERE local_day = $1
"""
"""Ten thousand more rows beside as many, through the same indexes and checks."""


@pytest.mark.edge_case("EC-PF-014", "EC-PF-016")
@pytest.mark.parametrize(
    ("statement", "arguments"),
    [(SQL.read_progress, 1), (SQL.read_ledger, 2)],
    ids=["day", "ledger"],
)
async def test_a_days_account_reads_that_days_partition_only(
    world: World, statement: str, arguments: int
) -> None:
    await world.open_days()
    plan = await planned(world.pool, statement, *[TODAY] * arguments)
    assert set(re.findall(r"plan_\d{8}", plan)) == {"plan_20260614"}


@pytest.mark.edge_case("EC-DB-024")
async def test_five_hundred_take_as_many_statements_as_one(world: World, planner_url: str) -> None:
    await world.plan()
    by_size: dict[int, list[list[str]]] = {}
    async with open_pool(planner_url, name="narrow", size=1) as pool:
        narrow = World(pool, world.clock, world.publisher)
        for size in (1, 1, 500):  # at first the driver learns the types
            world.clock.set(START)
            async with statements_of(pool) as projecting:
                await narrow.project(*(a_recipient(birthday="1990-06-14") for _ in range(size)))
            world.clock.set(utc("2026-06-14 07:00"))
            async with statements_of(pool) as releasing:
                requests = await narrow.release()
            assert len(requests) == size
            answers = [
                DeliveryRefused(**key_of(request), reason="no_such_mailbox") for request in requests
            ]
            async with statements_of(pool) as answering:
                await narrow.answer(DELIVERY_REFUSED, *answers)
            by_size[size] = [projecting, releasing, answering]
    assert by_size[500] == by_size[1]
    assert all(by_size[1])


@pytest.fixture
async def bare_world(pg_url: str) -> AsyncIterator[World]:
    """Yield a world whose tables have lost every index that is no key."""
    async with (
        fresh_database(pg_url, *MIGRATIONS) as url,
        open_pool(url, name="planner tests") as pool,
    ):
        world = World(pool, FrozenClock(START), FakePublisher())
        await world.open_days()
        lost = await pool.fetch(
            "SELECT indexrelid::regclass::text FROM pg_index JOIN pg_class"
            " ON pg_class.oid = indexrelid"
            " WHERE relkind = 'I' AND NOT indisunique AND indrelid = 'plan'::regclass"
        )
        assert lost
        for index in lost:
            await pool.execute(f"DROP INDEX {index[0]}")
        yield world


@pytest.mark.edge_case("EC-DB-022", "EC-PF-013")
async def test_without_its_indexes_a_planner_is_slow_and_right(bare_world: World) -> None:
    world = bare_world
    people = [a_recipient(birthday="1990-06-14") for _ in range(30)]
    await world.project(*people)
    await world.plan()
    await world.pool.execute(
        "INSERT INTO plan (local_day, person_id, kind, due_at, release_at, expires_at,"
        " person_version, zone, tzdata, period)"
        " SELECT $1, gen_random_uuid(), 'birthday', $2, $2, $2, 1, 'UTC', '', $1"
        " FROM generate_series(1, 20000)",
        TODAY,
        utc("2026-06-14 19:00"),
    )
    plan = await planned(
        world.pool, SQL.release_due, utc("2026-06-14 07:00"), TODAY, 500, timedelta(seconds=120)
    )
    assert "release_at_idx" not in plan
    assert "Sort Key: plan_2.release_at" in plan
    requests = await world.release_at("2026-06-14 07:00")
    assert sorted(keys_of(requests)) == sorted((person.person_id, 1) for person in people)
    assert await world.accept(requests[0]) == 1
