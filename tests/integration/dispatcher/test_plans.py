"""How the claim is planned, by keys even where every table was empty then, and what is granted."""

import re

import pytest

from libs.postgres.types import Pool
from services.dispatcher.adapters.sql import SQL

TABLES = (
    "contacts", "suppressions", "unsubscribes", "delivery_events", "greeted", "pauses",
    "cancellations",
)  # fmt: skip
PERSON = "01900000-0000-7000-8000-000000000000"
ARGUMENTS = (
    f"'{{2026-06-14}}', '{{{PERSON}}}', '{{birthday}}', '{{1}}', '{{2026-01-01}}',"
    f" '{{2026-06-14 09:00Z}}', '{{2026-06-16 09:00Z}}', '{{1}}', '2026-06-14 09:00Z',"
    f" '{PERSON}', 90, 'smtp', '2026-06-14', '2026-06-14', '{{NULL}}', 0"
)

UNOPPOSED = (
    f"'2026-06-14 09:00Z', '{PERSON}', 90, 'smtp', 0, '{{{PERSON}}}', '{{1}}', '{{NULL}}', '{{1}}',"
    " '{2026-06-14}', '{birthday}', '{2026-01-01}', '{2026-06-14 09:00Z}', '{2026-06-16 09:00Z}'"
)


@pytest.fixture
async def plan(pool: Pool) -> list[str]:
    """Return the plan of a claim made right after the empty tables were analysed."""
    async with pool.acquire() as connection:
        await connection.execute("ANALYZE")
        await connection.execute(f"PREPARE claim AS {SQL.claim_requests}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE claim ({ARGUMENTS})")
        await connection.execute("DEALLOCATE claim")
    return [row[0] for row in rows]


@pytest.mark.edge_case("EC-PF-015")
async def test_claim_reads_no_table_from_end_to_end(plan: list[str]) -> None:
    scans = [line for line in plan if "Seq Scan" in line]
    assert not [line for line in scans if any(f"Seq Scan on {name}" in line for name in TABLES)]


@pytest.mark.edge_case("EC-PF-015")
async def test_claim_finds_rows_by_person_in_every_index(plan: list[str]) -> None:
    conditions = {
        found[1]: plan[place + 1]
        for place, line in enumerate(plan)
        if (found := re.search(r"Index (?:Only )?Scan using (\w+)", line))
    }
    # Whether there are any holds at all is asked once, before.
    assert set(conditions) == {
        "pauses_open_idx",
        "cancellations_scope_idx",
        "contacts_pkey",
        "suppressions_pkey",
        "unsubscribes_pkey",
        "delivery_events_20260614_pkey",
        "greeted_2026_pkey",
    }
    for index, condition in conditions.items():
        assert "Index Cond" in condition
        assert "address" in condition if index == "suppressions_pkey" else "person_id" in condition


@pytest.mark.edge_case("EC-PF-015")
async def test_claim_of_an_unopposed_batch_is_planned_by_keys_too(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute("ANALYZE")
        await connection.execute(f"PREPARE whole AS {SQL.claim_unopposed}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE whole ({UNOPPOSED})")
        await connection.execute("DEALLOCATE whole")
    lines = [row[0] for row in rows]
    assert not [line for line in lines if "Seq Scan" in line or "hashed" in line]
    for index, column in {"contacts_pkey": "person_id", "suppressions_pkey": "address"}.items():
        places = [place for place, line in enumerate(lines) if f" {index} on " in line]
        assert any(f"Index Cond: ({column}" in lines[place + 1] for place in places)


@pytest.fixture(params=["never analysed", "analysed when empty", "full and analysed"])
async def a_full_day(pool: Pool, request: pytest.FixtureRequest) -> Pool:
    """Return a pool on a day of many mails, whose statistics are what they may be by then."""
    if request.param == "analysed when empty":
        await pool.execute("ANALYZE")
    await pool.execute(FILLED)
    if request.param == "full and analysed":
        await pool.execute("ANALYZE")
    return pool


FILLED = """
WITH people AS (
    INSERT INTO contacts (person_id, version, schedule_version, state, email, address)
    SELECT gen_random_uuid(), 1, 1, 'active', number || '@x', number || '@x'
    FROM generate_series(1, 5000) AS number
    RETURNING person_id
),
held AS (
    INSERT INTO greeted (period, person_id, kind, holder_day, holder_release)
    SELECT '2026-01-01', person_id, 'birthday', '2026-06-14', 1 FROM people
)
INSERT INTO delivery_events (
    local_day, person_id, kind, release, step, type, reason, period, due_at, expires_at, recorded_at
)
SELECT
    '2026-06-14', person_id, 'birthday', 1, step,
    CASE step WHEN 0 THEN 'attempted' ELSE 'unknown' END,
    CASE step WHEN 1 THEN 'timed_out' END, '2026-01-01', now(), now(), now()
FROM people, generate_series(0, 1) AS step
"""
DAYS = "'2026-06-14', '2026-06-14'"
BY_KEY = {
    "claim_requests": ARGUMENTS,
    "claim_unopposed": UNOPPOSED,
    "list_first_writings": ", ".join(["NULL"] * 5),
    "list_latest_outcomes": ", ".join(["NULL"] * 3),
    "list_spent": ", ".join(["NULL"] * 4),
    "record_outcomes": ", ".join(["NULL"] * 15),
    "record_settlements": ", ".join(["NULL"] * 14) + f", {DAYS}",
}


@pytest.mark.edge_case("EC-PF-015")
@pytest.mark.parametrize("name", BY_KEY)
async def test_a_batch_finds_the_rows_of_a_full_day_by_key(a_full_day: Pool, name: str) -> None:
    async with a_full_day.acquire() as connection:
        await connection.execute(f"PREPARE batch AS {getattr(SQL, name)}")
        rows = await connection.fetch(f"EXPLAIN EXECUTE batch ({BY_KEY[name]})")
        await connection.execute("DEALLOCATE batch")
    lines = [row[0] for row in rows]
    read = {
        place: found[1]
        for place, line in enumerate(lines)
        if (found := re.search(r"Scan (?:Backward )?(?:using \w+ )?on (\w+)", line))
        and found[1].startswith(("delivery_events_", "greeted_", "contacts"))
    }
    assert read
    for place in read:
        assert "_pkey on" in lines[place]
        assert "person_id = " in lines[place + 1]
        assert "Index Cond" in lines[place + 1]


@pytest.mark.parametrize("table", ["delivery_events", "cancellations"])
async def test_what_happened_can_be_added_and_read_only(pool: Pool, table: str) -> None:
    granted = await pool.fetch(
        "SELECT privilege_type FROM information_schema.table_privileges"
        " WHERE table_name = $1 AND grantee = current_user",
        table,
    )
    assert {row[0] for row in granted} & {"UPDATE", "DELETE", "TRUNCATE"} == set()
    assert {row[0] for row in granted} >= {"INSERT", "SELECT"}


async def test_a_look_for_doubts_reads_one_small_index_of_the_days_in_question(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(f"PREPARE look AS {SQL.is_any_unknown}")
        rows = await connection.fetch("EXPLAIN EXECUTE look ('2026-06-13', '2026-06-14')")
        await connection.execute("DEALLOCATE look")
    lines = [row[0] for row in rows]
    scans = [line for line in lines if "Scan" in line]
    assert len(scans) == 2
    assert all("Index Scan using delivery_events_202606" in line for line in scans)
    assert all("_recorded_at_idx" in line for line in scans)
    assert any("Subplans Removed: 3" in line for line in lines)
