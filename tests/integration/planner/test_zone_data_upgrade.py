"""An upgrade between two real releases of the zone data, with real processes of both.

The older planner is this planner with the tzdata package of release 2022a before ours on its path:
Mexico had summer time then, Iran and Greenland other rules.
"""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, time, timedelta
from pathlib import Path

import aiohttp
import pytest

from contracts.kinds import KINDS
from deploy.native.processes import free_port
from libs.clock import FrozenClock
from libs.localtime import TZDATA_VERSION, instant_at
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool, Record
from services.planner.adapters.celebrations import file_celebrations
from services.planner.adapters.recipients import insert_recipients
from services.planner.domain.celebration import celebrations_of
from services.planner.domain.recipient import Recipient
from services.planner.wiring import MIGRATIONS
from tests.integration.planner.world import World, keys_of
from tests.support.databases import fresh_database
from tests.support.publishers import FakePublisher
from tests.support.recipients import a_recipient, day, utc
from tests.support.vhosts import fresh_vhost
from tests.support.zone_data import OLDER_FOLDER, make_older_package, older_zone_data

NOW = utc("2026-06-14 14:30")
CLOCK = f"{NOW.isoformat()};rate=0;since=0"
NINE = time(9)
BIRTHDAYS = ("1990-06-13", "1990-06-14", "1990-06-15", "1990-06-17")
DEFERRED, RELEASED, TOO_LATE = (
    a_recipient(birthday="1990-06-14", zone="America/Mexico_City") for _ in range(3)
)


def a_crowd() -> list[Recipient]:
    """Return somebody in every zone that both releases have, and three in Mexico."""
    zones = older_zone_data().names
    crowd = [
        a_recipient(zone=zone, birthday=BIRTHDAYS[number % len(BIRTHDAYS)])
        for number, zone in enumerate(zones)
    ]
    # Due at 14:00 by the older rules, at 15:00 by ours; known in between.
    return [*crowd, DEFERRED, RELEASED, known_at(TOO_LATE, utc("2026-06-14 14:20"))]


def known_at(person: Recipient, at: datetime) -> Recipient:
    return a_recipient(
        person_id=person.person_id, zone=person.zone, birthday="1990-06-14", active_since=at
    )


class Release:
    """Planners with one release of the zone data."""

    def __init__(self, env: Mapping[str, str], *, path: Path | None) -> None:
        self._env = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **env,
            **({} if path is None else {"PYTHONPATH": str(path)}),
        }

    async def start(self, *arguments: str, **env: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "services.planner",
            *arguments,
            env={**self._env, **env},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def run(self, *arguments: str) -> tuple[int | None, str]:
        """Run a command to its end; return its status and all it wrote."""
        return await ended(await self.start(*arguments))

    @contextlib.asynccontextmanager
    async def running(self, *roles: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """Yield a process that is ready; end it if it still runs."""
        port = str(free_port())
        process = await self.start(*roles, PLANNER_HTTP_PORT=port)
        try:
            await ready(f"http://127.0.0.1:{port}", process)
            yield process
        finally:
            if process.returncode is None:
                process.terminate()
                await ended(process)


async def ended(process: asyncio.subprocess.Process) -> tuple[int | None, str]:
    async with asyncio.timeout(40):
        out, errors = await process.communicate()
    return process.returncode, (out + errors).decode()


async def ready(url: str, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(60), aiohttp.ClientSession() as session:
        while True:
            assert process.returncode is None, await ended(process)
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)


async def plan_of(pool: Pool) -> dict[tuple[object, ...], Record]:
    rows = await pool.fetch("SELECT * FROM plan")
    return {(row["local_day"], row["person_id"], row["kind"]): row for row in rows}


@contextlib.asynccontextmanager
async def a_database(pg_url: str) -> AsyncIterator[str]:
    """Yield a database with the crowd in it and nothing planned."""
    async with fresh_database(pg_url, *MIGRATIONS) as url:
        async with open_pool(url, name="test") as pool, pool.acquire() as connection:
            crowd = a_crowd()
            await insert_recipients(connection, crowd)
            filed = [one for person in crowd for one in celebrations_of(person, KINDS.values())]
            await file_celebrations(connection, filed)
        yield url


async def put_off_and_release(pool: Pool) -> None:
    """Make one row wait for its retry and have one asked for, as the older planner would."""
    retry_at = utc("2026-06-14 14:45")
    await pool.execute(
        "UPDATE plan SET state = 'deferred', reason = 'busy', release = 1, release_at = $2"
        " WHERE person_id = $1",
        DEFERRED.person_id,
        retry_at,
    )
    await pool.execute(
        "UPDATE plan SET state = 'released', release = 1, released_at = $2, ask_at = $2"
        " WHERE person_id = $1",
        RELEASED.person_id,
        NOW + timedelta(days=300),
    )


@pytest.mark.edge_case("EC-TZ-019", "EC-TZ-020", "EC-TZ-025", "EC-S-007")
async def test_an_upgrade_moves_exactly_what_the_new_release_moves(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path: Path
) -> None:
    older_version = make_older_package(tmp_path)
    async with (
        a_database(pg_url) as url,
        fresh_vhost(amqp_url, amqp_api) as vhost,
        open_pool(url, name="test") as pool,
    ):
        env = {"PLANNER_DATABASE_URL": url, "PLANNER_BROKER_URL": vhost, "JUBILEE_CLOCK": CLOCK}
        older, newer = Release(env, path=tmp_path), Release(env, path=None)
        async with older.running("plan", "upkeep") as old_planner:
            await put_off_and_release(pool)
            before = await plan_of(pool)
            assert {row["tzdata"] for row in before.values()} == {older_version}
            await is_refused(newer, planned_by=older_version, has=TZDATA_VERSION)

            status, preview = await newer.run("tzdata", "--preview")
            assert (status, await plan_of(pool)) == (0, before)
            status, report = await newer.run("tzdata")
            assert status == 0, report
            assert moves_in(report) == moves_in(preview) != []

            status, told = await ended(old_planner)
            assert (status, f"made by zone data {TZDATA_VERSION}" in told) == (2, True)
        await is_refused(older, planned_by=TZDATA_VERSION, has=older_version)

        after = await plan_of(pool)
        moved = {key for key, row in before.items() if row["due_at"] != at_nine(row)}
        assert {key for key in before if after[key] != before[key]} == moved
        assert all(after[key]["due_at"] == at_nine(after[key]) for key in moved)
        assert {after[key]["tzdata"] for key in moved} == {TZDATA_VERSION}
        assert f"{len(moved)} rows moved, all others stay as they are" in report
        zones = {before[key]["zone"] for key in moved}
        assert zones >= {"America/Mexico_City", "Asia/Tehran"}
        assert len(zones) < 40
        await the_rest_is_as_ever(pool, after)


def moves_in(report: str) -> list[str]:
    return [line for line in report.splitlines() if line.endswith(" rows")]


async def is_refused(planner: Release, *, planned_by: str, has: str) -> None:
    status, told = await planner.run("plan")
    assert status == 2, told
    assert f"made by zone data {planned_by}, this process has {has}" in told


def at_nine(row: Record) -> datetime:
    return instant_at(row["local_day"], NINE, row["zone"])


async def the_rest_is_as_ever(pool: Pool, after: dict[tuple[object, ...], Record]) -> None:
    """A planner of the new release goes on: nothing early, nothing lost, nothing twice."""
    rows = {row["person_id"]: row for row in after.values()}
    assert rows[DEFERRED.person_id]["state"] == "deferred"
    assert rows[DEFERRED.person_id]["release_at"] == utc("2026-06-14 15:00")
    assert (rows[RELEASED.person_id]["state"], rows[RELEASED.person_id]["release"]) == (
        "released",
        1,
    )
    assert TOO_LATE.person_id not in rows
    world = World(pool, FrozenClock(NOW), FakePublisher())
    await world.plan_open_days()
    assert (await world.row(TOO_LATE, day("2026-06-14")))["due_at"] == utc("2026-06-14 15:00")
    early = {person for person, _ in keys_of(await world.release_at("2026-06-14 14:59:59"))}
    assert not early & {DEFERRED.person_id, TOO_LATE.person_id}
    due = keys_of(await world.release_at("2026-06-14 15:00"))
    assert {(DEFERRED.person_id, 2), (TOO_LATE.person_id, 1)} <= set(due)


async def test_releases_are_compared_zone_day_by_zone_day(pg_url: str) -> None:
    async with fresh_database(pg_url, *MIGRATIONS) as url:
        env = {
            "PLANNER_DATABASE_URL": url,
            "PLANNER_BROKER_URL": "amqp://127.0.0.1:1/",
            "JUBILEE_CLOCK": CLOCK,
        }
        asked = ("--compare", str(OLDER_FOLDER), "--release", "2022a", "--from", "2026-03-01")
        status, told = await Release(env, path=None).run("tzdata", *asked, "--to", "2026-12-31")
    assert status == 0, told
    assert f"zone data 2022a -> {TZDATA_VERSION}" in told
    mexico = "America/Mexico_City 2026-04-05 to 2026-10-24 09:00: 14:00Z -> 15:00Z (+1:00)"
    assert mexico in told.splitlines()
    assert "Asia/Amman 2026-10-30 to 2026-12-31 09:00: 07:00Z -> 06:00Z (-1:00)" in told
    assert "new: America/Ciudad_Juarez, America/Coyhaique, Europe/Kyiv" in told
