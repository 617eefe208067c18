"""The planner as a command: what it refuses, and that it starts, works and drains."""

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest

from deploy.native.processes import free_port
from services.planner.wiring import MIGRATIONS
from tests.support.databases import fresh_database
from tests.support.vhosts import fresh_vhost


async def started(*arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.planner",
        *arguments,
        env={**inherited, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def command(*arguments: str, env: Mapping[str, str]) -> tuple[int | None, str]:
    """Run the command to its end; return exit status and all it wrote."""
    process = await started(*arguments, env=env)
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    return process.returncode, (out + errors).decode()


@contextlib.asynccontextmanager
async def running(*roles: str, env: Mapping[str, str]) -> AsyncIterator[str]:
    """Yield the URL of a planner that is ready; end it by SIGTERM and expect a clean exit."""
    url = f"http://127.0.0.1:{free_port()}"
    process = await started(*roles, env={**env, "PLANNER_HTTP_PORT": url.rpartition(":")[2]})
    try:
        await ready(url)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def ready(url: str) -> None:
    async with asyncio.timeout(40), aiohttp.ClientSession() as session:
        while True:
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{url}/health/ready") as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.1)


async def test_help_names_every_role_and_setting() -> None:
    status, text = await command("--help", env={})
    assert status == 0
    for word in ("reconcile", "PLANNER_DATABASE_URL", "PLANNER_HORIZON_DAYS"):
        assert word in text


async def test_an_unknown_role_is_refused_with_the_known_ones() -> None:
    status, text = await command("releaze", env={})
    assert status == 2
    assert text.startswith("unknown role: releaze; known are api, project, plan, release")


@pytest.mark.edge_case("EC-S-004")
@pytest.mark.parametrize("clock", ["every minute", "2026-06-14;rate=fast", "0 9 * * *"])
async def test_a_clock_nobody_can_read_is_refused_at_start(clock: str) -> None:
    env = {
        "PLANNER_DATABASE_URL": "postgresql://127.0.0.1:1/none",
        "PLANNER_BROKER_URL": "amqp://127.0.0.1:1/",
        "JUBILEE_CLOCK": clock,
    }
    status, text = await command(env=env)
    assert (status, "JUBILEE_CLOCK" in text) == (2, True), text


@pytest.mark.edge_case("EC-S-004")
async def test_wrong_settings_are_refused_all_at_once() -> None:
    env = {"PLANNER_HORIZON_DAYS": "1", "PLANNER_HORIZONDAYS": "4"}
    status, text = await command(env=env)
    assert status == 2
    for name in ("PLANNER_DATABASE_URL", "PLANNER_BROKER_URL", *env):
        assert name in text


async def test_a_database_without_its_tables_is_refused(pg_url: str) -> None:
    async with fresh_database(pg_url) as url:
        env = {"PLANNER_DATABASE_URL": url, "PLANNER_BROKER_URL": "amqp://127.0.0.1:1/"}
        status, text = await command(env=env)
        assert (status, "run python -m services.planner migrate" in text) == (2, True)
        assert (await command("migrate", env=env))[0] == 0
        status, text = await command("migrate", env=env)
        assert (status, '"count":0' in text) == (0, True)


async def test_all_roles_in_one_process_get_ready_and_drain(
    pg_url: str, amqp_url: str, amqp_api: str
) -> None:
    async with fresh_database(pg_url, *MIGRATIONS) as url, fresh_vhost(amqp_url, amqp_api) as vhost:
        env = {"PLANNER_DATABASE_URL": url, "PLANNER_BROKER_URL": vhost}
        async with running(env=env) as base, aiohttp.ClientSession() as session:
            async with session.get(f"{base}/metrics") as answer:
                metrics = await answer.text()
            assert "planner_horizon_hours" in metrics
            assert "planner_released_unanswered" in metrics


async def test_roles_may_be_processes_of_their_own(
    pg_url: str, amqp_url: str, amqp_api: str
) -> None:
    async with fresh_database(pg_url, *MIGRATIONS) as url, fresh_vhost(amqp_url, amqp_api) as vhost:
        env = {"PLANNER_DATABASE_URL": url, "PLANNER_BROKER_URL": vhost}
        async with (
            running("plan", "upkeep", env=env),
            running("release", "reconcile", env=env) as base,
            running("project", "outcomes", env=env),
            aiohttp.ClientSession() as session,
            session.get(f"{base}/v1/plans/2026-06-14") as answer,
        ):
            assert answer.status == 404
