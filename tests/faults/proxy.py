"""Stands between a process and PostgreSQL, reads along, and kills the process at an exact point.

The services carry no hooks for this: the points of the crash table are points in what they say to
the database, so that is where we listen.
"""

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlsplit, urlunsplit

_SSL_REQUEST = 80877103
_COMMIT = b"COMMIT"
_IDLE = b"I"


class Point(enum.Enum):
    """Where to kill, relative to the transaction that runs the statement."""

    BEFORE_STATEMENT = "the statement was not sent"
    BEFORE_COMMIT = "the statement ran, its COMMIT was not sent"
    AFTER_COMMIT = "committed, the process was not told"


class KillSwitch:
    """Calls ``kill`` once, when a statement containing ``sql`` reaches ``point``.

    Nothing is forwarded after that: the process dies not knowing what came of it. Without ``sql``
    it waits to be set.
    """

    def __init__(self, sql: str = "", point: Point = Point.BEFORE_STATEMENT) -> None:
        self.kill: Callable[[], None] = lambda: None
        self.fired = asyncio.Event()
        self.set(sql, point)

    def set(self, sql: str, point: Point) -> None:
        """Wait for another point: the proxy serves the next process until it dies there."""
        self.sql = sql.encode()
        self.point = point
        self.fired.clear()

    def defuse(self) -> None:
        """Let the next process live."""
        self.set("", Point.BEFORE_STATEMENT)

    def fire(self) -> None:
        if not self.fired.is_set():
            self.fired.set()
            self.kill()


class _Conversation:
    """What was said on one connection, as far as the switch needs it."""

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch
        self._texts: dict[bytes, bytes] = {}
        self._is_armed = False

    def is_cut_by_client(self, kind: bytes, payload: bytes) -> bool:
        """Take in a message of the client; tell whether it is where the process dies."""
        if kind == b"P":
            name, text, *_ = payload.split(b"\0")
            self._texts[name] = text
        elif kind == b"B":
            _, name, *_ = payload.split(b"\0", 2)
            return self._runs(self._texts.get(name, b""))
        elif kind == b"Q":
            if self._is_armed and payload.startswith(_COMMIT):
                return self._switch.point is Point.BEFORE_COMMIT
            return self._runs(payload)
        return False

    def _runs(self, text: bytes) -> bool:
        if not self._switch.sql or self._switch.sql not in text:
            return False
        self._is_armed = True
        return self._switch.point is Point.BEFORE_STATEMENT

    def is_cut_by_server(self, kind: bytes, payload: bytes) -> bool:
        """Take in a message of the server; tell whether it is where the process dies."""
        is_over = kind == b"Z" and payload == _IDLE
        return self._is_armed and is_over and self._switch.point is Point.AFTER_COMMIT


@contextlib.asynccontextmanager
async def killing_proxy(database_url: str, switch: KillSwitch) -> AsyncIterator[str]:
    """Yield a URL that leads to ``database_url`` through the proxy."""
    target = urlsplit(database_url)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        upstream = await asyncio.open_connection(target.hostname, target.port)
        conversation = _Conversation(switch)
        try:
            await _pass_on(reader, *upstream, writer, conversation, switch)
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()
            upstream[1].close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    netloc = f"{target.netloc.rpartition('@')[0]}@127.0.0.1:{port}".lstrip("@")
    try:
        yield urlunsplit(target._replace(netloc=netloc))
    finally:
        server.close()


async def _pass_on(
    client: asyncio.StreamReader,
    server: asyncio.StreamReader,
    to_server: asyncio.StreamWriter,
    to_client: asyncio.StreamWriter,
    conversation: _Conversation,
    switch: KillSwitch,
) -> None:
    await _shake_hands(client, server, to_server, to_client)
    back = asyncio.create_task(_server_to_client(server, to_client, conversation, switch))
    try:
        while not switch.fired.is_set():
            kind, message = await _read(client)
            if not switch.fired.is_set() and conversation.is_cut_by_client(kind, message[5:]):
                switch.fire()
                return
            to_server.write(message)
            await to_server.drain()
    finally:
        back.cancel()


async def _server_to_client(
    server: asyncio.StreamReader,
    to_client: asyncio.StreamWriter,
    conversation: _Conversation,
    switch: KillSwitch,
) -> None:
    with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
        while True:
            kind, message = await _read(server)
            if not switch.fired.is_set() and conversation.is_cut_by_server(kind, message[5:]):
                switch.fire()
            if switch.fired.is_set():
                return
            to_client.write(message)
            await to_client.drain()
    to_client.close()


async def _shake_hands(
    client: asyncio.StreamReader,
    server: asyncio.StreamReader,
    to_server: asyncio.StreamWriter,
    to_client: asyncio.StreamWriter,
) -> None:
    """Pass the start-up packets on; they have no type byte, nor has the answer about TLS."""
    while True:
        length = await client.readexactly(4)
        packet = await client.readexactly(int.from_bytes(length, "big") - 4)
        to_server.write(length + packet)
        if int.from_bytes(packet[:4], "big") != _SSL_REQUEST:
            return
        to_client.write(await server.readexactly(1))


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Return one message: its type, and all its bytes."""
    head = await reader.readexactly(5)
    body = await reader.readexactly(int.from_bytes(head[1:], "big") - 4)
    return head[:1], head + body
