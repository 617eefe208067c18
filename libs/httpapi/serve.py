"""An HTTP server inside of a process that has its own signals, loops and drain."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import uvicorn

from libs.runtime.process import StartupError

MAX_CONNECTIONS: Final = 2000
IDLE_CONNECTION_S: Final = 10


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
                h11_max_incomplete_event_size=16 * 1024,
                http="httptools",
                lifespan="on",
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


class _Embedded(uvicorn.Server):
    """Leaves signals to the process."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
