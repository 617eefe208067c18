"""One connection to an SMTP server: bytes out, replies in, in order, each within a time."""

import asyncio
import ssl
from collections import deque
from collections.abc import Iterable, Iterator
from typing import cast

import msgspec

_LONGEST_LINE_BYTES = 4096
_MOST_LINES = 256
_CLOSING_S = 1.0
_LAST_LINES = {b"%d " % code: code for code in range(200, 600)}
"""How the last line of a reply begins that has a text."""


class HungUpError(Exception):
    """The server closed the connection."""


class UnreadableReplyError(Exception):
    """What the server said is no SMTP reply."""


class Reply(msgspec.Struct, frozen=True, gc=False):
    """One reply, RFC 5321 4.2: its code and the text of every line."""

    code: int
    lines: tuple[bytes, ...]


class ReplyReader:
    """Cuts a stream of bytes into replies; several may come in one segment, or one in many."""

    def __init__(self) -> None:
        self._received = b""
        self._lines: list[bytes] = []

    @property
    def is_between(self) -> bool:
        """Whether nothing of a further reply has come."""
        return not self._received and not self._lines

    def feed(self, data: bytes) -> Iterator[Reply]:
        """Yield every reply that ``data`` completes.

        Raises:
            UnreadableReplyError: this is not SMTP, or a reply without an end.
        """
        *lines, self._received = (self._received + data).split(b"\n")
        if len(self._received) > _LONGEST_LINE_BYTES:
            raise UnreadableReplyError
        for line in lines:
            if (reply := self._taken(line.removesuffix(b"\r"))) is not None:
                yield reply

    def _taken(self, line: bytes) -> Reply | None:
        if (code_of_one := _LAST_LINES.get(line[:4])) is not None and not self._lines:
            return Reply(code_of_one, (line[4:],))
        code, more = line[:3], line[3:4]
        is_reply = len(code) == 3 and code.isdigit() and b"2" <= code[:1] <= b"5"
        if not is_reply or more not in {b"", b" ", b"-"} or len(self._lines) > _MOST_LINES:
            raise UnreadableReplyError
        if more == b"-":
            self._lines.append(line[4:])
            return None
        reply = Reply(int(code), (*self._lines, line[4:]))
        self._lines.clear()
        return reply


class Wire(asyncio.Protocol):
    """The bytes of one connection. One reader at a time."""

    def __init__(self) -> None:
        self._reader = ReplyReader()
        self._replies: deque[Reply] = deque()
        self._failure: type[HungUpError | UnreadableReplyError] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._ended = self._loop.create_future()
        self._is_flushed = asyncio.Event()
        self._is_flushed.set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._use(transport)

    def pause_writing(self) -> None:
        self._is_flushed.clear()

    def resume_writing(self) -> None:
        self._is_flushed.set()

    def data_received(self, data: bytes) -> None:
        try:
            self._replies.extend(self._reader.feed(data))
        except UnreadableReplyError:
            self._failure = UnreadableReplyError
            self._transport.abort()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._failure = self._failure or HungUpError
        if not self._ended.done():
            self._ended.set_result(None)
        self._is_flushed.set()
        self._wake()

    @property
    def is_quiet(self) -> bool:
        """Whether the connection stands and the server has said nothing that was not read."""
        return self._failure is None and not self._replies and self._reader.is_between

    @property
    def is_standing(self) -> bool:
        """Whether the connection is not known to be gone."""
        return self._failure is None

    def write(self, data: bytes) -> None:
        """Send ``data``; on a connection that is gone the next reply is the error."""
        if self._failure is None:
            self._transport.write(data)

    async def flush(self, *, within_s: float) -> None:
        """Wait until everything written has left this process, or cannot any more.

        Raises:
            TimeoutError: the server takes nothing.
        """
        if not self._is_flushed.is_set():
            async with asyncio.timeout(within_s):
                await self._is_flushed.wait()

    async def reply(self, *, within_s: float) -> Reply:
        """Return the next reply.

        Raises:
            HungUpError: the server closed the connection, and every reply before that was read.
            UnreadableReplyError: it said something else than a reply.
            TimeoutError: there was none within ``within_s``.
        """
        if not self._replies:
            await self._arrival(within_s)
        return self._replies.popleft()

    async def start_tls(self, context: ssl.SSLContext, host: str, *, within_s: float) -> None:
        """Encrypt from here on. What came before the handshake is not taken for the server's.

        Raises:
            OSError: the handshake failed; ``ssl.SSLError`` where the certificate is not good.
            UnreadableReplyError: somebody spoke between the server's consent and the handshake.
        """
        if not self.is_quiet:
            raise UnreadableReplyError
        transport = await self._loop.start_tls(
            self._transport, self, context, server_hostname=host, ssl_handshake_timeout=within_s
        )
        self._use(transport)

    def close(self) -> None:
        """Send what is written, then end the connection."""
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._transport.abort()

    def _use(self, transport: asyncio.BaseTransport | None) -> None:
        self._transport = cast(asyncio.Transport, transport)
        # Flushed means that nothing at all is left here.
        self._transport.set_write_buffer_limits(high=0)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    async def _arrival(self, within_s: float) -> None:
        # A timer of our own: asyncio.timeout costs several times as much, once per mail.
        timer = self._loop.call_later(within_s, self._expire)
        try:
            while not self._replies:
                if self._failure is not None:
                    raise self._failure()
                self._waiter = self._loop.create_future()
                await self._waiter
        finally:
            timer.cancel()
            self._waiter = None

    def _expire(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(TimeoutError())


async def ended(wires: Iterable[Wire]) -> None:
    """Wait a moment for closing connections to be gone; cut off those that are not."""
    open_ones = {wire._ended: wire for wire in wires}  # noqa: SLF001 - of this module
    if not open_ones:
        return
    _, pending = await asyncio.wait(open_ones, timeout=_CLOSING_S)
    for one in pending:
        open_ones[one].abort()
