"""An HTTP server inside of a process that has its own signals, loops and drain."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import httptools
import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from libs.runtime.process import StartupError

MAX_CONNECTIONS: Final = 2000
IDLE_CONNECTION_S: Final = 10
HEAD_TIMEOUT_S: Final = 10.0
MAX_HEAD_BYTES: Final = 16 * 1024
MAX_HEADERS: Final = 100


class HttpServer:
    """Serves an ASGI application until it is stopped; requests under way are finished."""

    name = "http"

    def __init__(self, app: Any, host: str, port: int, *, drain_timeout_s: float = 25.0) -> None:
        self._host = host
        self._wanted_port = port
        self._socket: socket.socket | None = None
        self._server = _Embedded(
            uvicorn.Config(
                app,
                access_log=False,
                backlog=1024,
                http=ImpatientProtocol,
                lifespan="off",
                limit_concurrency=MAX_CONNECTIONS,
                log_config=None,
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=int(drain_timeout_s),
                timeout_keep_alive=IDLE_CONNECTION_S,
                ws="none",
            )
        )

    @property
    def port(self) -> int:
        """The port in use, known once ``bind`` was called."""
        if self._socket is None:
            raise RuntimeError("bind the server first")
        return int(self._socket.getsockname()[1])

    def bind(self) -> None:
        """Take the port; clients that connect from now on wait until ``serve`` runs.

        Raises:
            StartupError: another process has it.
        """
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        try:
            self._socket = socket.create_server(
                (self._host, self._wanted_port), family=family, backlog=1024
            )
        except OSError as error:
            where = f"{self._host}:{self._wanted_port}"
            raise StartupError(f"cannot listen on {where}: {error.strerror}") from error

    async def serve(self) -> None:
        """Serve until ``stop``, and then until the last request has its answer."""
        if self._socket is None:
            self.bind()
        await self._server.serve(sockets=[self._socket] if self._socket else None)

    async def stop(self) -> None:
        """Take no new connections; ``serve`` returns when the others are done."""
        self._server.should_exit = True


class ImpatientProtocol(HttpToolsProtocol):
    """Closes connections whose request head is too slow or too large.

    Without it a client that sends a byte a minute, or nothing, holds its place for ever.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _head_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first request."""
        super().connection_made(transport)
        self._expect_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrives; a head that is still not complete may not grow for ever."""
        super().data_received(data)
        if self._head_timer is not None:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self.transport.close()

    def on_message_begin(self) -> None:
        """Begin to wait for the rest of a head; requests may follow each other."""
        self._expect_head()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """The head is there: answer it, or refuse it for its size."""
        self._stop_timer()
        head_bytes = sum(len(name) + len(value) for name, value in self.headers)
        if head_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS:
            raise httptools.HttpParserError("the request's head is too large")
        super().on_headers_complete()

    def _expect_head(self) -> None:
        self._stop_timer()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.close)

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


class _Embedded(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
