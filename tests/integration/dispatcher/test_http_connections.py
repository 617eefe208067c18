"""Kept HTTP connections: used as long as the server wants, and never for a mail too much.

A mail is unknown only where its request went out and no whole answer came back.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import cast

import msgspec
import pytest
import uvloop

from libs.clock import monotonic_s
from services.dispatcher.adapters.providers import http_connections
from services.dispatcher.adapters.providers.http_connections import read_http_url
from services.dispatcher.adapters.providers.http_wire import LONGEST_ANSWER_BYTES
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from tests.integration.dispatcher.providers import TIMEOUT_S, a_mail, port_of
from tests.integration.dispatcher.smtp_server import Authority

TAKEN = b'HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n{"messageId":"m-1"}'
CUT, PAUSE = b"cut", b"pause"
"""In place of bytes: hang up; be silent for a moment."""
PAUSE_S = TIMEOUT_S / 8


class Server:
    """Answers the requests of each connection by the next of ``scripts``, the last one for ever.

    A script is one answer for each request, in pieces. ``requests`` counts those of a connection.
    """

    def __init__(self, *scripts: list[list[bytes]]) -> None:
        self.requests: list[int] = []
        self.reads_bodies = True
        self.open = self.most_open = 0
        self.asked, self.left = asyncio.Event(), asyncio.Event()
        self.clients: set[asyncio.Task[None]] = set()
        self._scripts = list(scripts)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client."""
        self.clients.add(cast("asyncio.Task[None]", asyncio.current_task()))
        script = self._scripts.pop(0) if len(self._scripts) > 1 else self._scripts[0]
        place = len(self.requests)
        self.requests.append(0)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
                if self.reads_bodies:
                    await reader.readexactly(int(fields["content-length"]))
                self.requests[place] += 1
                self.asked.set()
                answer = script[min(self.requests[place], len(script)) - 1]
                if not await _say(answer, writer):
                    break
                if not self.reads_bodies:
                    # Long enough for the answer to be seen before the connection is cut.
                    await asyncio.sleep(PAUSE_S)
                    break
        self.open -= 1
        self.left.set()
        writer.close()


async def _say(answer: list[bytes], writer: asyncio.StreamWriter) -> bool:
    """Write the pieces of an answer; tell whether the connection goes on."""
    for piece in answer:
        if piece == CUT:
            return False
        if piece == PAUSE:
            await asyncio.sleep(PAUSE_S)
        else:
            writer.write(piece)
            await writer.drain()
    return True


@contextlib.asynccontextmanager
async def a_vendor(
    server: Server,
    *,
    connections: int = 1,
    url: str = "http://127.0.0.1:{}",
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[VendorProvider]:
    """Yield a provider that is connected to ``server``."""
    listening = await asyncio.start_server(server.serve, host, 0, ssl=tls)
    async with listening:
        target = read_http_url(url.format(port_of(listening)))
        provider = VendorProvider(target, connections=connections, timeout_s=TIMEOUT_S)
        try:
            yield provider
        finally:
            await provider.close()
            await asyncio.gather(*server.clients)


async def deliver(provider: VendorProvider, mails: int = 1) -> list[Result]:
    return await provider.deliver(
        [a_mail(number) for number in range(mails)], start_before_s=monotonic_s() + 60
    )


async def test_connections_are_kept_and_not_more_than_allowed() -> None:
    server = Server([[TAKEN]])
    async with a_vendor(server, connections=3) as provider:
        batches = await asyncio.gather(*(deliver(provider, 40) for _ in range(4)))
        assert await deliver(provider) == [Accepted("m-1")]
    assert batches == [[Accepted("m-1")] * 40] * 4
    assert (server.most_open, sum(server.requests)) == (3, 161)
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param([TAKEN.replace(b"OK", b"OK\r\nConnection: close"), CUT], id="announced"),
        pytest.param([TAKEN, CUT], id="not announced"),
        pytest.param([TAKEN.replace(b"1.1", b"1.0"), CUT], id="HTTP/1.0"),
        pytest.param([b'HTTP/1.0 200 OK\r\n\r\n{"messageId":"m-1"}', CUT], id="without a length"),
        pytest.param([TAKEN, b"HTTP/1.1 408 X\r\n\r\n", CUT], id="with a word nobody asked for"),
    ],
)
async def test_server_that_hangs_up_after_each_answer_leaves_nothing_unknown(
    answer: list[bytes],
) -> None:
    server = Server([answer])
    async with a_vendor(server) as provider:
        assert await deliver(provider, 5) == [Accepted("m-1")] * 5
    assert server.requests == [1] * 5


async def test_connection_whose_end_arrived_unread_is_not_used() -> None:
    with _thread_that_answers_once_a_connection() as (port, hang_up, hung_up):
        provider = VendorProvider(
            read_http_url(f"http://127.0.0.1:{port}"), connections=1, timeout_s=5.0
        )
        assert await deliver(provider) == [Accepted("m-1")]
        # The loop stands still meanwhile: it cannot have seen what the kernel has.
        hang_up.set()
        assert hung_up.wait(10)
        assert await deliver(provider) == [Accepted("m-1")]
        await provider.close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        pytest.param([CUT], "connection_lost", id="none"),
        pytest.param([TAKEN[:9], CUT], "connection_lost", id="half a head"),
        pytest.param([TAKEN[:-1], CUT], "connection_lost", id="half a body"),
        pytest.param([b"HTTP/1.1 100 Continue\r\n\r\n", CUT], "connection_lost", id="interim"),
        pytest.param([b"220 ready\r\n"], "unreadable_answer", id="not HTTP"),
        pytest.param(
            [TAKEN.replace(b"OK", b"OK\r\nX: " + b"x" * LONGEST_ANSWER_BYTES)],
            "unreadable_answer",
            id="too long",
        ),
        pytest.param([PAUSE] * 12, "timed_out", id="too late"),
        pytest.param(
            [piece for byte in TAKEN for piece in (bytes([byte]), PAUSE)], "timed_out", id="a drip"
        ),
    ],
)
async def test_request_without_a_whole_answer_is_unknown_and_the_next_one_is_not(
    answer: list[bytes], reason: str
) -> None:
    server = Server([answer], [[TAKEN]])
    async with a_vendor(server) as provider:
        started_s = monotonic_s()
        assert await deliver(provider, 2) == [Unknown(reason), Accepted("m-1")]
        assert monotonic_s() - started_s < 3 * TIMEOUT_S
    assert server.requests == [1, 1]


async def test_each_request_has_the_whole_time() -> None:
    server = Server([[*[PAUSE] * 3, TAKEN]])
    async with a_vendor(server) as provider:
        assert await deliver(provider, 3) == [Accepted("m-1")] * 3


async def test_answer_after_interim_ones_in_chunks_is_taken() -> None:
    pieces = [
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-",
        b'Encoding: chunked\r\n\r\n5\r\n{"mes\r\n',
        b'e\r\nsageId":"m-1"}\r\n0\r\n\r\n',
    ]
    async with a_vendor(Server([pieces])) as provider:
        assert await deliver(provider, 2) == [Accepted("m-1")] * 2


async def test_word_nobody_asked_for_is_not_taken_for_an_answer() -> None:
    foreign = TAKEN.replace(b"m-1", b"m-2")
    server = Server([[TAKEN, PAUSE, foreign]], [[TAKEN]])
    async with a_vendor(server) as provider:
        assert await deliver(provider) == [Accepted("m-1")]
        await server.left.wait()
        assert await deliver(provider) == [Accepted("m-1")]
    assert server.requests == [1, 1]


async def test_answer_before_the_whole_request_was_sent_is_one() -> None:
    server = Server([[b"HTTP/1.1 413 X\r\nContent-Length: 0\r\n\r\n"]], [[TAKEN]])
    server.reads_bodies = False
    endless = msgspec.structs.replace(a_mail(), text="x" * 12_000_000)
    async with a_vendor(server) as provider:
        results = await provider.deliver([endless, a_mail()], start_before_s=monotonic_s() + 60)
    assert results == [Refused("request_refused", 413), Accepted("m-1")]
    assert server.requests == [1, 1]


async def test_cancelled_request_takes_its_connection_along() -> None:
    server = Server([[*[PAUSE] * 3, TAKEN]])
    async with a_vendor(server) as provider:
        delivering = asyncio.create_task(deliver(provider))
        await server.asked.wait()
        delivering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivering
        await server.left.wait()
        assert await deliver(provider) == [Accepted("m-1")]
    assert server.requests == [1, 1]


async def test_connection_is_not_kept_for_longer_than_servers_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(http_connections, "IDLE_S", 0.01)
    server = Server([[TAKEN]])
    async with a_vendor(server) as provider:
        assert await deliver(provider) == [Accepted("m-1")]
        await server.left.wait()
    assert server.open == 0


@pytest.mark.parametrize("a_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_server_with_a_name_and_a_certificate_is_believed(
    a_loop: Callable[[], asyncio.AbstractEventLoop],
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    authority = Authority(tmp_path_factory.mktemp("ca"))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.path))
    context = authority.server_context("localhost")

    async def believe() -> None:
        server = Server([[TAKEN], [TAKEN], [TAKEN, CUT]], [[TAKEN]])
        async with a_vendor(server, url="https://localhost:{}", tls=context) as provider:
            assert await deliver(provider, 5) == [Accepted("m-1")] * 5
        async with a_vendor(server, url="https://127.0.0.1:{}", tls=context) as provider:
            assert await deliver(provider) == [Deferred("tls_failed")]
        assert server.requests == [3, 2]

    # Connections begin otherwise on the loop that the services run on.
    with asyncio.Runner(loop_factory=a_loop) as runner:
        runner.run(believe())


@pytest.mark.skipif(not socket.has_ipv6, reason="there is no IPv6 here")
async def test_server_is_reached_by_ipv6() -> None:
    async with a_vendor(Server([[TAKEN]]), url="http://[::1]:{}", host="::1") as provider:
        assert await deliver(provider) == [Accepted("m-1")]


async def test_address_of_a_server_that_is_down_does_not_hide_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def found(_: object, port: int, **__: object) -> list[tuple[object, ...]]:
        return [(socket.AF_INET, 0, 0, "", (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", found)
    async with a_vendor(Server([[TAKEN]]), url="http://mail.example:{}") as provider:
        assert await deliver(provider) == [Accepted("m-1")]


async def test_server_without_an_address_gets_nothing() -> None:
    async with a_vendor(Server([[TAKEN]]), url="http://mail.invalid:{}") as provider:
        assert await deliver(provider, 3) == [Deferred("unreachable")] * 3


@contextlib.contextmanager
def _thread_that_answers_once_a_connection() -> Iterator[
    tuple[int, threading.Event, threading.Event]
]:
    """Yield a port, what makes the first connection end, and what tells that it has."""
    hang_up, hung_up = threading.Event(), threading.Event()
    listening = socket.create_server(("127.0.0.1", 0))
    listening.settimeout(10)

    def serve() -> None:
        for _ in range(2):
            connection, _ = listening.accept()
            connection.recv(65_536)
            connection.sendall(TAKEN)
            hang_up.wait(10)
            connection.close()
            hung_up.set()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listening.getsockname()[1], hang_up, hung_up
    finally:
        hang_up.set()
        thread.join(15)
        listening.close()
