"""A line to a server that can be cut and mended."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import SplitResult, urlsplit, urlunsplit


class Line:
    """Passes everything on between its own port and ``target`` while it is not cut."""

    def __init__(self, target: SplitResult) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self.port = 0

    async def mend(self) -> None:
        """Take connections, on the same port as before."""
        self._server = await asyncio.start_server(self._join, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def cut(self) -> None:
        """Break all connections and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection(
            self._target.hostname, self._target.port
        )
        ends = {writer, far_writer}
        self._ends |= ends
        try:
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            self._ends -= ends


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
        line.cut()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
