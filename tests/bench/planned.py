"""Fills a planner's tables on the server: people and plan rows by the million."""

from datetime import date, timedelta
from typing import Literal

import asyncpg

from libs.postgres import partitions
from libs.postgres.types import Connection

State = Literal["waiting", "accepted"]

_RECIPIENTS = """
INSERT INTO recipients (
    person_id, version, schedule_version, is_active, zone, leap_day, active_since, dates,
    dates_since, opt_outs, opted_in_since
)
SELECT
    md5(number::text)::uuid, 1, 1, true, 'UTC', 'feb28', '2020-01-01',
    '{"birthday": "1990-03-10"}', '{}', '{}', '{}'
FROM generate_series(1, $1::int) AS number
"""
_PLAN = """
INSERT INTO plan (
    local_day, person_id, kind, due_at, release_at, expires_at, state, release, person_version,
    zone, tzdata, period, years, released_at, settled_at
)
SELECT
    $1::date, md5(number::text)::uuid, 'birthday', due.at, due.at, due.at + '12 hours'::interval,
    $3, ($3 = 'accepted')::int, 1, 'UTC', '2026a', date_trunc('year', $1::date)::date, 37,
    CASE WHEN $3 = 'accepted' THEN due.at END, CASE WHEN $3 = 'accepted' THEN due.at END
FROM generate_series(1, $2::int) AS number
CROSS JOIN (SELECT ($1::date + '09:00'::time) AT TIME ZONE 'UTC' AS at) AS due
"""


async def fill_recipients(connection: Connection, people: int) -> None:
    """Make ``people`` people, all with the ids that ``fill_day`` gives them."""
    await connection.execute(_RECIPIENTS, people, timeout=None)
    await connection.execute("ANALYZE recipients")


async def fill_day(connection: Connection, day: date, *, rows: int, state: State) -> None:
    """Owe ``rows`` people something at 09:00 UTC of ``day``; its partition is made first."""
    await partitions.ensure_day_partitions(connection, "plan", first=day, days=1)
    await connection.execute(_PLAN, day, rows, state, timeout=None)


async def open_day(connection: Connection, day: date) -> None:
    """Have ``day`` open and planned."""
    await connection.execute(
        "INSERT INTO days (local_day, opened_at, cut_at, planned_at)"
        " VALUES ($1::date, $1::date, $1::date, $1::date)",
        day,
    )


_DELIVERIES = """
INSERT INTO delivery_events (
    local_day, person_id, kind, release, step, type, period, due_at, expires_at, recorded_at,
    provider, message_id
)
SELECT
    $1::date, md5(number::text)::uuid, 'birthday', 1, step,
    CASE step WHEN 0 THEN 'attempted' ELSE 'accepted' END, date_trunc('year', $1::date)::date,
    $1::date, $1::date + 1, $1::date, 'postmark', md5(number::text)
FROM generate_series(1, $2::int) AS number
CROSS JOIN generate_series(0, 1) AS step
"""
_HISTORY_DAYS = 20


async def fill_history(planner_url: str, dispatcher_url: str, *, before: date, mails: int) -> None:
    """Let ``mails`` have been sent on the twenty days that ended a fortnight before ``before``."""
    first = before - timedelta(days=_HISTORY_DAYS + 14)
    rows = mails // _HISTORY_DAYS
    days = [first + timedelta(days=offset) for offset in range(_HISTORY_DAYS)]
    planner, dispatcher = await asyncpg.connect(planner_url), await asyncpg.connect(dispatcher_url)
    try:
        for day in days:
            await fill_day(planner, day, rows=rows, state="accepted")
            await partitions.ensure_day_partitions(dispatcher, "delivery_events", first=day, days=1)
            await dispatcher.execute(_DELIVERIES, day, rows, timeout=None)
        await planner.execute("ANALYZE plan", timeout=None)
        await dispatcher.execute("ANALYZE delivery_events", timeout=None)
    finally:
        await planner.close()
        await dispatcher.close()
