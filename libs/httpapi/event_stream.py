"""Server-sent events: a feed that stays open and tells what happens as it happens.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Iterator
from typing import Any, Final

from litestar.response import Stream
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Send

from libs.clock import monotonic_s
from libs.eventstore.feed import Entry, Feed, Slice
from libs.httpapi.problems import Problem
from libs.runtime.stopping import Stopping
from libs.telemetry.metrics import declare_gauge

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "text/event-stream"
MAX_STREAMS: Final = 64
"""Streams of one process; each costs a look at the log every ``LOOK_AGAIN_S``."""
LOOK_AGAIN_S: Final = 0.25
HEARTBEAT_S: Final = 15.0
"""A comment is sent after so long without an event, so that nobody takes silence for a fault."""
SEND_TIMEOUT_S: Final = 30.0
"""A client that takes nothing for so long loses its place; it resumes where it stopped."""
EVENTS_AT_A_TIME: Final = 200

STREAMS_OPEN: Final = declare_gauge(
    "jubilee_event_streams_open", "Clients that follow the event feed as server-sent events."
)


class EventStreams:
    """The streams of one process, of which there are never more than ``limit``."""

    def __init__(self, feed: Feed, stopping: Stopping, *, limit: int = MAX_STREAMS) -> None:
        self._feed = feed
        self._stopping = stopping
        self._limit = limit
        self._open = 0

    async def open(self, after: str | None, types: frozenset[str]) -> Stream:
        """Return the answer that tells what follows ``after`` until the client or we go away.

        Raises:
            Problem: 503, when there are too many streams already, or the process drains.
            BadPositionError, PositionGoneError: as of the feed.
        """
        if self._open >= self._limit or self._stopping.is_set:
            title = "There is no place for another stream here now"
            raise Problem(503, "too_many_streams", title, headers={"Retry-After": "2"})
        first = await self._feed.read(after, limit=EVENTS_AT_A_TIME, types=types)
        return _EventStream(self, self._pieces(first, types))

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        """Take the place of one stream until its end."""
        self._open += 1
        STREAMS_OPEN.set(self._open)
        try:
            yield
        finally:
            self._open -= 1
            STREAMS_OPEN.set(self._open)

    async def _pieces(self, found: Slice, types: frozenset[str]) -> AsyncGenerator[bytes]:
        spoken_s = monotonic_s()
        yield b": the events follow; resume with Last-Event-ID\n\n"
        while not self._stopping.is_set:
            if found.entries:
                spoken_s = monotonic_s()
                yield b"".join(map(_as_text, found.entries))
            elif monotonic_s() - spoken_s >= HEARTBEAT_S:
                spoken_s = monotonic_s()
                yield b": heartbeat\n\n"
            if not found.has_more:
                await self._pause()
            found = await self._feed.read(found.next, limit=EVENTS_AT_A_TIME, types=types)
        yield b": the server is about to stop, connect again\n\n"

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOK_AGAIN_S):
                await self._stopping.wait()


class _EventStream(Stream):
    """What the handler returns."""

    def __init__(self, streams: EventStreams, pieces: AsyncGenerator[bytes]) -> None:
        super().__init__(pieces, media_type=MEDIA_TYPE)
        self._streams = streams
        self._pieces = pieces

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIStreamingResponse:
        """Return the application that sends the events."""
        # nginx would collect the events otherwise.
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        return _SendingEvents(self._streams, self._pieces, headers)


class _SendingEvents(ASGIStreamingResponse):
    """Ends with the client, with the process, or when the client takes nothing any more."""

    __slots__ = ("_pieces", "_streams")

    def __init__(
        self, streams: EventStreams, pieces: AsyncGenerator[bytes], headers: dict[str, str]
    ) -> None:
        super().__init__(iterator=pieces, media_type=MEDIA_TYPE, headers=headers)
        self._streams = streams
        self._pieces = pieces

    async def send_body(self, send: Send, receive: Receive) -> None:
        with self._streams.counted():
            sending = asyncio.ensure_future(self._send_all(send))
            gone = asyncio.ensure_future(_until_gone(receive))
            try:
                await asyncio.wait([sending, gone], return_when=asyncio.FIRST_COMPLETED)
            finally:
                gone.cancel()
                sending.cancel()
                ended = await asyncio.gather(sending, gone, return_exceptions=True)
        # The head was sent long ago: all that is left is to hang up, and the client resumes.
        if isinstance(ended[0], Exception):
            logger.warning("stream.cut", exc_info=ended[0])

    async def _send_all(self, send: Send) -> None:
        async with contextlib.aclosing(self._pieces):
            async for piece in self._pieces:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await send(_body(piece))
        await send(_body(b"", is_last=True))


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(body: bytes, *, is_last: bool = False) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": not is_last}


def _as_text(entry: Entry) -> bytes:
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (
        entry.position.encode(),
        entry.type.encode(),
        entry.event,
    )
