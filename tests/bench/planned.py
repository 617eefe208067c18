"""Fills a planner's tables on the server: people and plan rows by the million."""

import asyncio
from collections.abc import Awaitable, Callable
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
ORDER BY 1
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
ORDER BY 2
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


_CELEBRATIONS = """
INSERT INTO celebrations (
    bucket, person_id, kind, zone, leap_day, origin, since, person_version
)
SELECT 701, md5(number::text)::uuid, 'birthday', 'UTC', 'feb28', '1990-07-01', '2020-01-01', 1
FROM generate_series(1, $1::int) AS number
ORDER BY 2
"""
_CONTACTS = """
INSERT INTO contacts (
    person_id, version, schedule_version, state, email, address, first_name, last_name, locale
)
SELECT
    md5(number::text)::uuid, 1, 1, 'active', format('grace%s@example.com', number),
    format('grace%s@example.com', number), 'Grace', format('Number %s', number), 'en'
FROM generate_series(1, $1::int) AS number
ORDER BY 1
"""
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
ORDER BY 2, step
"""
_GREETED = """
INSERT INTO greeted (period, person_id, kind, holder_day, holder_release)
SELECT
    date_trunc('year', $1::date)::date, md5(format('%s %s', $1::date, number))::uuid, 'birthday',
    $1::date, 1
FROM generate_series(1, $2::int) AS number
ORDER BY 2
"""
_LOADING = {"synchronous_commit": "off", "work_mem": "512MB", "maintenance_work_mem": "1GB"}
_HISTORY_DAYS = 20
ROWS_OF_A_MAIL = 4
"""A plan row, two delivery events and the period's row."""


async def fill_world(planner_url: str, dispatcher_url: str, people: int) -> None:
    """Have planner and dispatcher know ``people`` people more, all born on the first of July."""

    async def plan_for(connection: Connection) -> None:
        await connection.execute(_RECIPIENTS, people, timeout=None)
        await connection.execute("VACUUM ANALYZE recipients", timeout=None)

    async def celebrate(connection: Connection) -> None:
        await connection.execute(_CELEBRATIONS, people, timeout=None)
        await connection.execute("VACUUM ANALYZE celebrations", timeout=None)

    async def keep(connection: Connection) -> None:
        await connection.execute(_CONTACTS, people, timeout=None)
        await connection.execute("VACUUM ANALYZE contacts", timeout=None)

    await asyncio.gather(
        _fill(planner_url, plan_for), _fill(planner_url, celebrate), _fill(dispatcher_url, keep)
    )


async def fill_history(planner_url: str, dispatcher_url: str, *, before: date, mails: int) -> None:
    """Let ``mails`` have been sent on the twenty days that ended a fortnight before ``before``."""
    first = before - timedelta(days=_HISTORY_DAYS + 14)
    rows = mails // _HISTORY_DAYS
    days = [first + timedelta(days=offset) for offset in range(_HISTORY_DAYS)]

    async def plan(connection: Connection) -> None:
        for day in days:
            await fill_day(connection, day, rows=rows, state="accepted")
        await connection.execute("VACUUM ANALYZE plan", timeout=None)

    async def deliver(connection: Connection) -> None:
        for day in days:
            await partitions.ensure_day_partitions(connection, "delivery_events", first=day, days=1)
            await connection.execute(_DELIVERIES, day, rows, timeout=None)
        await connection.execute("VACUUM ANALYZE delivery_events", timeout=None)

    async def greet(connection: Connection) -> None:
        for day in days:
            await connection.execute(_GREETED, day, rows, timeout=None)
        await connection.execute("VACUUM ANALYZE greeted", timeout=None)

    await asyncio.gather(
        _fill(planner_url, plan), _fill(dispatcher_url, deliver), _fill(dispatcher_url, greet)
    )


async def _fill(url: str, work: Callable[[Connection], Awaitable[None]]) -> None:
    connection = await asyncpg.connect(url, server_settings=_LOADING)
    try:
        await work(connection)
    finally:
        await connection.close()
