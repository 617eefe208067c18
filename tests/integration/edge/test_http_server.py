import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from litestar import get

from libs.httpapi import serve
from libs.httpapi.app import create_app
from libs.httpapi.auth import PUBLIC
from libs.httpapi.keys import ApiKeys
from libs.httpapi.serve import MAX_HEAD_BYTES, HttpServer
from libs.runtime.health import Health
from libs.runtime.process import StartupError
from libs.runtime.stopping import Stopping

HEAD = b"GET /health/live HTTP/1.1\r\nHost: here\r\n"


@asynccontextmanager
async def running(*handlers: Any) -> AsyncIterator[HttpServer]:
    health = Health(Stopping())
    app = create_app(handlers, title="t", version="1", auth=ApiKeys([]), health=health)
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    task = asyncio.create_task(server.serve())
    try:
        yield server
    finally:
        await server.stop()
        await asyncio.wait_for(task, 30)


async def talk(server: HttpServer, *pieces: bytes) -> bytes:
    """Send the pieces and return all that comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        for piece in pieces:
            writer.write(piece)
            await asyncio.sleep(0.01)
        return await asyncio.wait_for(reader.read(), 20)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_a_request_is_answered_without_naming_the_software() -> None:
    async with running() as server:
        answer = await talk(server, HEAD + b"Connection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"server:" not in answer.lower()


async def test_requests_may_follow_each_other_on_one_connection() -> None:
    async with running() as server:
        answer = await talk(server, (HEAD + b"\r\n") * 3, HEAD + b"Connection: close\r\n\r\n")
    assert answer.count(b"200 OK") == 4


@pytest.mark.edge_case("EC-SEC-012")
async def test_a_head_that_comes_a_byte_at_a_time_is_cut_off_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve, "HEAD_TIMEOUT_S", 0.3)
    async with running() as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        async with asyncio.timeout(2):
            sent = 0
            while not reader.at_eof():
                writer.write(HEAD[sent % len(HEAD) :][:1])
                sent += 1
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.02):
                        await reader.read(1)
        writer.close()
        assert await talk(server, HEAD + b"Connection: close\r\n\r\n")
    assert sent > 5


def test_a_slow_head_gets_ten_seconds_at_most() -> None:
    assert serve.HEAD_TIMEOUT_S <= 10


@pytest.mark.parametrize("sent", [b"", HEAD], ids=["EC-SEC-012 nothing", "EC-SEC-012 half a head"])
async def test_who_does_not_finish_a_head_is_disconnected(
    monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(serve, "HEAD_TIMEOUT_S", 0.05)
    async with running() as server:
        assert await talk(server, sent) == b""


@pytest.mark.parametrize(
    "headers",
    [b"".join(b"X-%d: y\r\n" % i for i in range(200)), b"X: " + b"y" * MAX_HEAD_BYTES + b"\r\n"],
    ids=["too many", "too large"],
)
async def test_a_head_beyond_the_limits_is_refused(headers: bytes) -> None:
    async with running() as server:
        answer = await talk(server, HEAD + headers + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_head_that_never_ends_is_cut_off() -> None:
    async with running() as server:
        assert await talk(server, HEAD + b"X: ", b"y" * MAX_HEAD_BYTES, b"y") == b""


async def test_a_request_under_way_is_finished_when_the_server_stops() -> None:
    arrived, released = asyncio.Event(), asyncio.Event()

    @get("/slow", guards=[PUBLIC])
    async def slow() -> str:
        arrived.set()
        await released.wait()
        return "done"

    async with running(slow) as server:
        request = b"GET /slow HTTP/1.1\r\nHost: here\r\n\r\n"
        answer = asyncio.create_task(talk(server, request))
        await arrived.wait()
        await server.stop()
        released.set()
        assert (await answer).endswith(b"done")


async def test_a_port_serves_one_process_only() -> None:
    async with running() as server:
        with pytest.raises(StartupError, match="cannot listen"):
            HttpServer(None, "127.0.0.1", server.port).bind()
