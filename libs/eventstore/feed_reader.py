"""Reads another service's events over HTTP, page by page, from any position."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import aiohttp
import msgspec
import tenacity

PAGE_EVENTS = 2000
_WAITED_S = 300.0
"""A service that is away, or asks for patience, is waited for this long."""
_REFUSALS = frozenset({400, 401, 403, 404, 410})


class Told(msgspec.Struct, frozen=True):
    """One event: which version of which stream, of which type, and the CloudEvent as JSON."""

    stream_id: UUID
    version: int
    type: str
    event: bytes


class FeedPage(msgspec.Struct, frozen=True):
    """A part of the feed; ``next`` is where to go on. Without ``has_more`` it is the end."""

    events: list[Told]
    next: str | None
    has_more: bool


class FeedRefusedError(Exception):
    """The service answers and does not let us read; an operator has to mend URL or key."""


class FeedAwayError(Exception):
    """The service cannot answer now."""


class _Page(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]
    next: str | None
    has_more: bool


class _Head(msgspec.Struct, frozen=True):
    id: str
    type: str


_page = msgspec.json.Decoder(_Page)
_head = msgspec.json.Decoder(_Head)


class FeedReader:
    """One service's feed."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = f"{url.rstrip('/')}/v1/events"

    async def read(self, after: str | None) -> FeedPage:
        """Return the page after a position, None for the beginning.

        Raises:
            FeedRefusedError: the service does not let us read.
            FeedAwayError: it was away for minutes.
        """
        policy = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_exception_type(FeedAwayError),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            stop=tenacity.stop_after_delay(_WAITED_S),
            reraise=True,
        )

        async def attempt() -> FeedPage:
            return await self._ask(after)

        return await policy(attempt)

    async def _ask(self, after: str | None) -> FeedPage:
        asked = {"limit": str(PAGE_EVENTS)} | ({} if after is None else {"after": after})
        try:
            async with self._session.get(self._url, params=asked) as answer:
                body = await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FeedAwayError(f"{self._url}: {type(error).__name__}") from error
        if answer.status in _REFUSALS:
            raise FeedRefusedError(f"{self._url} answers {answer.status}: mend the URL or the key")
        if answer.status != 200:
            raise FeedAwayError(f"{self._url} answers {answer.status}")
        return _read(self._url, body)


@asynccontextmanager
async def open_feed(url: str, key: str, *, timeout_s: float = 60.0) -> AsyncIterator[FeedReader]:
    """Yield a reader of the events of the service at ``url`` that lets ``key`` in."""
    async with aiohttp.ClientSession(
        headers={"Authorization": f"Bearer {key}", "Accept": "application/json"},
        timeout=aiohttp.ClientTimeout(total=timeout_s),
    ) as session:
        yield FeedReader(session, url)


def _read(url: str, body: bytes) -> FeedPage:
    try:
        page = _page.decode(body)
        return FeedPage(
            [read_event(bytes(event)) for event in page.events], page.next, page.has_more
        )
    except (msgspec.DecodeError, ValueError) as error:
        raise FeedRefusedError(f"{url} does not answer with a page of events") from error


def read_event(event: bytes) -> Told:
    """Return an event with what its id, ``<stream>/<version>``, says."""
    head = _head.decode(event)
    stream_id, _, version = head.id.partition("/")
    return Told(UUID(stream_id), int(version), head.type, event)
