"""People simulated per second: a year of everybody, as it is and with nine moved to ten."""

from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

from contracts.kinds import KINDS
from libs.localtime import zone_names
from libs.postgres.pool import open_pool
from services.planner import wiring
from services.planner.app.simulating import Question, simulate
from services.planner.domain.simulation import Setting
from tests.bench.processor import Meter
from tests.support.databases import fresh_database

PEOPLE = 100_000
NOW = datetime(2026, 6, 1, tzinfo=UTC)
AT_TEN = {name: msgspec.structs.replace(kind, wall_time=time(10)) for name, kind in KINDS.items()}
AS_IS = Setting(kinds=KINDS, mails_per_s=50.0)
WHAT_IF = Setting(kinds=AT_TEN, mails_per_s=50.0)

# Harder than any real population: every zone is as popular as any other.
_FILL = """
INSERT INTO recipients (
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since
)
SELECT
    gen_random_uuid(),
    1,
    1,
    TRUE,
    ($2::text[])[1 + number * 7919 % array_length($2::text[], 1)],
    'feb28',
    '2020-01-01',
    jsonb_build_object(
        'birthday', '1950-01-01'::date + number * 7877 % 20000,
        'anniversary', '1990-01-01'::date + number * 6971 % 9000
    ),
    '{}',
    '{}',
    '{}'
FROM generate_series(1, $1::int) AS number
"""


async def measure(pg_url: str, *, with_what_if: bool) -> dict[str, Any]:
    """Simulate the year 2027 minute by minute and return rate and cost."""
    question = Question(
        first=date(2027, 1, 1),
        last=date(2027, 12, 31),
        per="minute",
        examples=3,
        as_is=AS_IS,
        what_if=WHAT_IF if with_what_if else None,
    )
    async with (
        fresh_database(pg_url, *wiring.MIGRATIONS) as url,
        open_pool(url, name="bench", size=2, settings=wiring.PLANNING) as pool,
    ):
        await pool.execute(_FILL, PEOPLE, list(zone_names()))
        await pool.execute("ANALYZE recipients")
        meter = Meter()
        found = await simulate(pool, question, now=NOW)
        usage = meter.read()
    if found.as_is.greetings != 2 * PEOPLE:
        raise RuntimeError(f"{found.as_is.greetings} greetings for {PEOPLE} people")
    return {
        "what": "a year simulated" + (", with a what-if" if with_what_if else ""),
        "items": PEOPLE,
        "per_s": round(PEOPLE / usage.wall_s),
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / PEOPLE * 1e6, 1),
        "usage": usage,
    }
