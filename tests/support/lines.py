"""A line to a server that can be cut and mended, held up, narrowed and spoken into."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, urlsplit, urlunsplit


class Line:
    """Passes everything on between its own port and ``target`` while it is not cut.

    ``joined`` counts the connections it was asked for; ``bytes_per_s`` is how much passes towards
    the target in each of them.
    """

    def __init__(self, target: SplitResult, *, host: str = "127.0.0.1") -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._callers: list[asyncio.StreamWriter] = []
        self._held: int | None = None
        self._go_on = asyncio.Event()
        self._is_held = asyncio.Event()
        self.host = host
        self.port = 0
        self.bytes_per_s: float | None = None

    @property
    def joined(self) -> int:
        """How many connections there were."""
        return len(self._callers)

    async def mend(self) -> None:
        """Take connections, on the same port as before."""
        self.go_on()
        self._server = await asyncio.start_server(self._join, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()

    def hold(self, *, only: int | None = None) -> None:
        """Keep what is said to the target, of all connections or ``only`` one, counted from 0."""
        self._held = only
        self._go_on.clear()
        self._is_held.clear()

    async def held(self) -> None:
        """Wait until something is kept."""
        await self._is_held.wait()

    def go_on(self) -> None:
        """Pass on what was kept."""
        self._go_on.set()

    def say(self, data: bytes, *, to: int) -> None:
        """Say something in the target's place to one connection, counted from 0."""
        self._callers[to].write(data)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = len(self._callers)
        self._callers.append(writer)
        far_reader, far_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            await asyncio.gather(
                self._pass_on(reader, far_writer, number), self._pass_on(far_reader, writer, None)
            )
        finally:
            self._ends -= ends

    async def _pass_on(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int | None
    ) -> None:
        """Pass on what one side says; ``number`` is the connection's, on the caller's side."""
        try:
            while data := await reader.read(65536):
                if number is not None:
                    await self._let_through(len(data), number)
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async def _let_through(self, size: int, number: int) -> None:
        if self.bytes_per_s is not None:
            await asyncio.sleep(size / self.bytes_per_s)
        if not self._go_on.is_set() and self._held in {None, number}:
            self._is_held.set()
            await self._go_on.wait()


@asynccontextmanager
async def a_line_to(url: str) -> AsyncIterator[tuple[str, Line]]:
    """Yield a URL that leads to ``url``'s server over a line, and the line."""
    target = urlsplit(url)
    line = Line(target)
    await line.mend()
    user = target.netloc.rpartition("@")[0]
    try:
        yield urlunsplit(target._replace(netloc=f"{user}@127.0.0.1:{line.port}".lstrip("@"))), line
    finally:
        line.go_on()
        line.cut()
