"""A provider in the same process that does next to nothing: it takes every mail of a batch."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import cast

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_TAKEN = b'{"ErrorCode":0,"Message":"OK","MessageID":"0a129aee-e1cd-480d-b08d-4f48548ff48d"}'


@contextlib.asynccontextmanager
async def a_postmark() -> AsyncIterator[str]:
    """Yield the URL of a Postmark that takes everything."""
    server = await asyncio.get_running_loop().create_server(_Taking, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.close()


class _Taking(asyncio.Protocol):
    """One connection, one request after the other."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Wait for a request."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._pieces: list[bytes] = []
        self._missing: int | None = None

    def data_received(self, data: bytes) -> None:
        """Answer once the last byte is there."""
        self._pieces.append(data)
        if self._missing is None:
            head, _, rest = b"".join(self._pieces).partition(b"\r\n\r\n")
            length = _LENGTH.search(head)
            if length is None:
                return
            self._missing = int(length[1]) - len(rest)
        else:
            self._missing -= len(data)
        if self._missing <= 0:
            self._answer(b"".join(self._pieces).count(b'"Subject":'))

    def _answer(self, mails: int) -> None:
        self._pieces, self._missing = [], None
        body = b"[" + b",".join([_TAKEN] * mails) + b"]"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        self._transport.write(head.encode() + b"\r\n\r\n" + body)
