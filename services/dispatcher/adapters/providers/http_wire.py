"""One connection to an HTTP server: a request out, its answer in, one at a time, within a time."""

import asyncio
import select
from collections.abc import Mapping
from typing import cast

import httptools
import msgspec

from libs.clock import monotonic_s

LONGEST_ANSWER_BYTES = 1024 * 1024
"""Head and body together, interim answers (RFC 9110, 15.2) included."""

_OK = 200


class HungUpError(Exception):
    """The server closed the connection before its answer was complete."""


class UnreadableAnswerError(Exception):
    """What the server said is no HTTP answer, or one without an end."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole answer; names of headers are in lower case, the first of equal ones counts."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class AnswerReader:
    """Reads answer after answer from the bytes of one connection."""

    def __init__(self) -> None:
        self.keeps_alive = True
        self._parser = httptools.HttpResponseParser(self)
        self._answer: Answer | None = None
        self._received_bytes = 0
        self._head: dict[str, str] | None = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> Answer | None:
        """Return the answer that ``data`` completes; None where more has to come.

        What follows an answer unasked is not read, and ends the use of the connection.

        Raises:
            UnreadableAnswerError: this is not HTTP, or too long.
        """
        self._received_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            self.keeps_alive = False
            if self._answer is None:
                raise UnreadableAnswerError from error
        if self._received_bytes > LONGEST_ANSWER_BYTES:
            raise UnreadableAnswerError
        return self._taken()

    def end(self) -> Answer | None:
        """Return the answer that the end of the connection completes: one that told no length."""
        head = self._head
        if head is None or "content-length" in head or "transfer-encoding" in head:
            return None
        self._complete(head)
        return self._taken()

    def on_message_begin(self) -> None:
        """Refuse a second answer to one request; called by the parser."""
        if self._answer is not None:
            raise UnreadableAnswerError

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header; called by the parser."""
        self._headers.setdefault(name.decode("latin-1").lower(), value.decode("latin-1"))

    def on_headers_complete(self) -> None:
        """Close the head: a header that comes after the body is not one of it; by the parser."""
        self._head, self._headers = self._headers, {}

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body; called by the parser."""
        self._body.append(body)

    def on_message_complete(self) -> None:
        """Keep the answer, unless it is an interim one; called by the parser."""
        if self._parser.get_status_code() < _OK:
            self._begin()
            return
        self.keeps_alive = self._parser.should_keep_alive()
        self._complete(self._head or {})

    def _begin(self) -> None:
        self._head, self._headers, self._body = None, {}, []

    def _complete(self, head: Mapping[str, str]) -> None:
        self._answer = Answer(self._parser.get_status_code(), head, b"".join(self._body))
        self._begin()

    def _taken(self) -> Answer | None:
        answer, self._answer = self._answer, None
        if answer is not None:
            self._received_bytes = 0
        return answer


class HttpWire(asyncio.Protocol):
    """The bytes of one connection. One caller at a time."""

    def __init__(self) -> None:
        self.opened_at_s = monotonic_s()
        self._loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = self._loop.create_future()
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[Answer] | None = None
        self._is_over = False
        self._deadline_s = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._peer = select.poll()
        self._peer.register(transport.get_extra_info("socket").fileno(), select.POLLRDHUP)

    def data_received(self, data: bytes) -> None:
        if self._waiter is None or self._waiter.done():
            # Unasked: whatever it is, the next answer could be taken for another request's.
            self.abort()
            return
        try:
            answer = self._reader.feed(data)
        except UnreadableAnswerError as error:
            self._fail(error)
            return
        if answer is not None:
            self._waiter.set_result(answer)
            if self._transport.get_write_buffer_size():
                # The server did not want the rest of the request, nor will it read it now.
                self.abort()

    def eof_received(self) -> None:
        self._is_over = True
        answer = self._reader.end()
        if answer is not None and self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self._timer is not None:
            self._timer.cancel()
        self._fail(HungUpError())
        self.ended.set_result(None)

    @property
    def is_usable(self) -> bool:
        """Whether a request may go out: as far as this machine knows, the server waits for one.

        The kernel is asked too: that the server hung up may have arrived and not been read yet.
        """
        return not (self._is_over or not self._reader.keeps_alive or self._peer.poll(0))

    async def ask(self, request: bytes, *, within_s: float) -> Answer:
        """Send ``request``, which must be a whole one, and return the answer.

        Only to be called while ``is_usable``. The server may have taken the request whichever error
        this raises, cancellation included; the connection is of no use after one.

        Raises:
            HungUpError: the server closed the connection.
            UnreadableAnswerError: it said something else than one answer.
            TimeoutError: there was no whole answer within ``within_s``.
        """
        waiter: asyncio.Future[Answer] = self._loop.create_future()
        self._waiter = waiter
        self._expect_within(within_s)
        self._transport.write(request)
        try:
            return await waiter
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            self._waiter = None

    def close(self) -> None:
        """End the connection between two requests."""
        self._is_over = True
        self._transport.close()

    def abort(self) -> None:
        """End the connection at once."""
        self._is_over = True
        self._transport.abort()

    def _fail(self, error: Exception) -> None:
        self.abort()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    def _expect_within(self, within_s: float) -> None:
        # One timer for many requests: it is set anew only when it goes off before its time.
        self._deadline_s = self._loop.time() + within_s
        if self._timer is None or self._timer.when() > self._deadline_s:
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(self._deadline_s, self._look_at_time)

    def _look_at_time(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._loop.time() < self._deadline_s:
            self._set_timer()
        else:
            self._fail(TimeoutError())
