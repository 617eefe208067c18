"""Private servers: started, killed, started again, forgotten."""

import asyncio
import os
import signal
from collections.abc import Iterator

import aio_pika
import asyncpg
import pytest

from deploy.native import daemons, ports, servers
from deploy.native.instance import Instance

SERVERS = ("postgres", "rabbitmq")


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    instance = Instance(tmp_path_factory.mktemp("instance") / "with a blank")
    with pytest.MonkeyPatch.context() as environ:
        for name in os.environ:
            if name.startswith("JUBILEE_TEST_"):
                environ.delenv(name)
        yield instance
        servers.reset(instance)


async def test_servers_killed_at_any_moment_come_back(instance: Instance) -> None:
    environ = await asyncio.to_thread(servers.up_for_tests, instance)
    await _keep_a_database(environ["JUBILEE_TEST_DATABASE_URL"])
    for server in SERVERS:
        daemon = instance.read().daemons[server]
        await asyncio.to_thread(daemons.stop, daemon, by=signal.SIGKILL, timeout_s=5.0)
    environ = await asyncio.to_thread(servers.up_for_tests, instance)
    assert await _is_kept(environ["JUBILEE_TEST_DATABASE_URL"])
    assert await _echo(environ["JUBILEE_TEST_BROKER_URL"], b"once more") == b"once more"


async def test_a_second_start_changes_nothing(instance: Instance) -> None:
    first = await asyncio.to_thread(servers.up_for_tests, instance)
    before = instance.read()
    assert await asyncio.to_thread(servers.up_for_tests, instance) == first
    assert instance.read() == before


async def test_the_tests_role_is_no_superuser_and_fsync_stays_on(instance: Instance) -> None:
    environ = await asyncio.to_thread(servers.up_for_tests, instance)
    connection = await asyncpg.connect(environ["JUBILEE_TEST_DATABASE_URL"])
    try:
        settings = [
            await connection.fetchval("SELECT current_setting($1)", name)
            for name in ("is_superuser", "fsync", "synchronous_commit", "jit")
        ]
    finally:
        await connection.close()
    assert settings == ["off", "on", "on", "off"]


async def test_nothing_is_left_after_a_reset(instance: Instance) -> None:
    await asyncio.to_thread(servers.up_for_tests, instance)
    state = instance.read()
    await asyncio.to_thread(servers.reset, instance)
    assert [daemons.is_alive(state.daemons[server]) for server in SERVERS] == [False, False]
    assert [name for name, port in state.ports.items() if ports.answers(port)] == []
    assert {path.name for path in instance.folder.iterdir()} <= {"lock"}


async def _keep_a_database(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE DATABASE kept")
    await connection.close()


async def _is_kept(url: str) -> bool:
    connection = await asyncpg.connect(url)
    found = await connection.fetch("SELECT datname FROM pg_database WHERE datname = 'kept'")
    await connection.close()
    return len(found) == 1


async def _echo(url: str, body: bytes) -> bytes:
    """Return what comes out of a new quorum queue after ``body`` went in."""
    async with await aio_pika.connect(url) as broker:
        channel = await broker.channel()
        queue = await channel.declare_queue(
            "echo", durable=True, arguments={"x-queue-type": "quorum"}
        )
        await channel.default_exchange.publish(aio_pika.Message(body), routing_key="echo")
        message = await queue.get(timeout=30)
        await message.ack()
    return message.body
