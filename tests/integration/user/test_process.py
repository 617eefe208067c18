"""The service as a process: its command line, its roles, its start and its end."""

import asyncio
import base64
import contextlib
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aio_pika
import aiohttp
import msgspec
import pytest

from contracts import codec, topology
from contracts.envelope import Event
from contracts.user_events import USER_REGISTERED
from libs.eventstore.sealing import new_key
from libs.httpapi.keys import KeysFile
from libs.httpapi.keys import new_key as new_api_key
from tests.support.databases import fresh_database
from tests.support.people import a_document
from tests.support.vhosts import fresh_vhost

DEAD_BROKER = "amqp://guest:guest@127.0.0.1:1/"


async def command(*arguments: str, env: Mapping[str, str]) -> tuple[int, str, str]:
    """Run the service's command to its end; return exit status, output and errors."""
    process = await _start(*arguments, env=env)
    async with asyncio.timeout(30):
        out, errors = await process.communicate()
    return process.returncode or 0, out.decode(), errors.decode()


async def _start(*arguments: str, env: Mapping[str, str]) -> asyncio.subprocess.Process:
    inherited = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "services.user",
        *arguments,
        env={**inherited, **env},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


@contextlib.asynccontextmanager
async def running(*roles: str, env: Mapping[str, str]) -> AsyncIterator[str]:
    """Yield the base URL of a running process; end it with SIGTERM and expect a clean exit."""
    process = await _start(*roles, env=env)
    base_url = f"http://127.0.0.1:{env['USER_HTTP_PORT']}"
    try:
        await _until_ok(base_url)
        yield base_url
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            _, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


async def _until_ok(base_url: str, path: str = "/health/live") -> None:
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            try:
                async with session.get(f"{base_url}{path}") as response:
                    if response.status == 200:
                        return
                await asyncio.sleep(0.05)
            except aiohttp.ClientConnectionError:
                await asyncio.sleep(0.05)


@pytest.fixture
def token(tmp_path: Path) -> str:
    """Return the token of the only key in the keys file."""
    key, token = new_api_key("tests", ["users:read", "users:write"])
    (tmp_path / "keys.json").write_bytes(msgspec.json.encode(KeysFile([key])))
    (tmp_path / "master").write_bytes(base64.b64encode(new_key()))
    return token


@pytest.fixture
async def env(
    database_url: str,
    tmp_path: Path,
    token: str,  # noqa: ARG001
) -> dict[str, str]:
    """Return the settings of a process on an empty database, its broker out of reach."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    return {
        "USER_DATABASE_URL": database_url,
        "USER_BROKER_URL": DEAD_BROKER,
        "USER_HTTP_PORT": str(port),
        "USER_API_KEYS_FILE": str(tmp_path / "keys.json"),
        "USER_MASTER_KEY_FILE": str(tmp_path / "master"),
        "JUBILEE_ENV": "production",
    }


async def test_help_names_roles_and_settings() -> None:
    status, out, _ = await command("--help", env={})
    assert status == 0
    assert {"relay", "USER_DATABASE_URL", "JUBILEE_CLOCK"} <= set(out.split())


async def test_unknown_role_is_refused_with_the_list() -> None:
    status, _, errors = await command("planner", env={})
    assert (status, errors) == (2, "unknown role: planner; known are api, relay, migrate\n")


async def test_wrong_settings_are_told_all_at_once() -> None:
    status, _, errors = await command(env={"USER_HTTP_PORT": "x", "USER_COLOUR": "red"})
    assert status == 2
    for name in ("USER_DATABASE_URL", "USER_BROKER_URL", "USER_HTTP_PORT", "USER_COLOUR"):
        assert name in errors


async def test_production_insists_on_keys(env: dict[str, str]) -> None:
    for name in ("USER_API_KEYS_FILE", "USER_MASTER_KEY_FILE"):
        given = {key: value for key, value in env.items() if key != name}
        status, _, errors = await command(env=given)
        assert status == 2
        assert name in errors


async def test_start_is_refused_until_the_tables_are_there(
    pg_url: str, env: dict[str, str]
) -> None:
    async with fresh_database(pg_url) as url:
        given = {**env, "USER_DATABASE_URL": url}
        status, _, errors = await command(env=given)
        assert status == 2
        assert "python -m services.user migrate" in errors
        assert (await command("migrate", env=given))[0] == 0
        async with running("api", env=given):
            pass


async def test_api_serves_while_the_broker_is_awaited(env: dict[str, str], token: str) -> None:
    """Facts wait in the outbox."""
    async with running(env=env) as base_url, _client(token) as session:
        async with session.post(f"{base_url}/v1/users", json=a_document()) as response:
            assert response.status == 201
        async with session.get(f"{base_url}/health/ready") as response:
            checks = (await response.json())["checks"]
            assert response.status == 503
            assert checks["database"] == "ok"
            assert checks["broker"] == "the broker does not answer"


async def test_registration_reaches_the_queues(
    env: dict[str, str], token: str, amqp_url: str, amqp_api: str
) -> None:
    async with fresh_vhost(amqp_url, amqp_api) as broker_url:
        given = {**env, "USER_BROKER_URL": broker_url}
        async with running(env=given) as base_url, _client(token) as session:
            await _until_ok(base_url, "/health/ready")
            async with session.post(f"{base_url}/v1/users", json=a_document()) as response:
                person = await response.json()
            for queue in (topology.PLANNER_USERS, topology.DISPATCHER_USERS):
                event = (await _first_batch(broker_url, queue.name))[0]
                assert (str(event.data.id), event.data.version) == (person["id"], 1)
                assert event.id == f"{person['id']}/1"


async def test_relay_alone_serves_no_people(env: dict[str, str], token: str) -> None:
    async with running("relay", env=env) as base_url, _client(token) as session:
        async with session.get(f"{base_url}/v1/users") as response:
            assert response.status == 404
        async with session.get(f"{base_url}/metrics") as response:
            assert "user_outbox_age_seconds" in await response.text()


def _client(token: str) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(headers={"Authorization": f"Bearer {token}"})


async def _first_batch(broker_url: str, queue: str) -> list[Event[Any]]:
    async with asyncio.timeout(20), await aio_pika.connect(broker_url) as connection:
        channel = await connection.channel()
        waiting = await channel.get_queue(queue)
        async with waiting.iterator(no_ack=True) as messages:
            async for message in messages:
                return codec.decode(USER_REGISTERED, message.body)
    raise AssertionError("the queue closed")
