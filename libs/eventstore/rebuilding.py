"""Rebuilds a projection from the log it was made from, while events go on arriving.

The log is read twice. First only to learn the highest version of every stream; then each stream is
written from that version, and from no older one: nobody comes back for a moment as they once were.
Each page is one transaction with the place up to which it is done, so that a rebuild that was
interrupted goes on, and two that run at once are one: a step that was overtaken leaves nothing.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Literal, Protocol
from uuid import UUID

import msgspec

from libs.eventstore.feed_reader import FeedPage, Told
from libs.eventstore.sql import SQL
from libs.postgres.types import Connection, Pool

logger = logging.getLogger(__name__)

Phase = Literal["reading", "doubting", "catching_up", "writing", "removing", "sweeping", "done"]

_STRANGERS_AT_ONCE = 500
_WRITER_IN_FLIGHT_S = 0.05


class Progress(msgspec.Struct, frozen=True):
    """What a rebuild is at, up to where it is done, and how many events it has looked at."""

    phase: Phase
    after: str | None
    events: int


class _OvertakenError(Exception):
    """Another process has moved the rebuild on; what this step would write is out of date."""


class Feed(Protocol):
    """The log, page by page."""

    async def read(self, after: str | None) -> FeedPage:
        """Return the page after a position, None for the beginning."""
        ...


class Projection(Protocol):
    """The tables that are rebuilt. Each method is a part of the caller's transaction."""

    async def note_doubtful(self, connection: Connection) -> None:
        """Note as ``held`` the versions in the tables that the versions noted do not explain."""
        ...

    async def rewrite(
        self, connection: Connection, events: Sequence[Told], *, overruled: Collection[UUID]
    ) -> None:
        """Write streams from ``events``, each the newest, unless what is there is newer still.

        What is held of the streams in ``overruled`` only claims to be newer.
        """
        ...

    async def remove(self, connection: Connection, held: Mapping[UUID, int]) -> None:
        """Remove streams that nobody ever told of, while they are at the version ``held``."""
        ...

    async def sweep(self, connection: Connection, after: str | None) -> str | None:
        """Put in order a bounded part of what hangs on the streams; None: that was the last."""
        ...


async def rebuild(
    pool: Pool, feed: Feed, projection: Projection, *, tell: Callable[[Progress], None]
) -> Progress:
    """Write the projection anew, or go on where that was interrupted; return how it ended.

    ``tell`` hears of every step. Events may go on arriving: the highest version wins. Afterwards
    the tables hold what the log told when the rebuild began, or newer.

    Raises:
        FeedRefusedError, FeedAwayError: the log cannot be read; it goes on from there next time.
    """
    progress = await _begun(pool)
    while progress.phase != "done":
        tell(progress)
        with contextlib.suppress(_OvertakenError):
            await _STEPS[progress.phase](pool, feed, projection, progress)
        progress = await _progress(pool)
    tell(progress)
    return progress


async def _begun(pool: Pool) -> Progress:
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(SQL.begin_rebuild):
            await connection.execute(SQL.forget_streams)
    return await _progress(pool)


async def _progress(pool: Pool) -> Progress:
    async with pool.acquire() as connection:
        [row] = await connection.fetch(SQL.find_rebuild)
    return Progress(**row)


async def _read(pool: Pool, feed: Feed, _: Projection, at: Progress) -> None:
    await _note_page(pool, feed, at, then="doubting")


async def _doubt(pool: Pool, _: Feed, projection: Projection, at: Progress) -> None:
    """Note who is held and not told of, or from a version not told of.

    What is held came from an event that was there before: once the feed has been read on to its
    present end, whatever is still unexplained is wrong.
    """
    async with pool.acquire() as connection, connection.transaction():
        await _hold(connection, at)
        await projection.note_doubtful(connection)
        await _move(connection, "catching_up", at.after)


async def _catch_up(pool: Pool, feed: Feed, _: Projection, at: Progress) -> None:
    await _note_page(pool, feed, at, then="writing")


async def _note_page(pool: Pool, feed: Feed, at: Progress, *, then: Phase) -> None:
    page = await feed.read(at.after)
    highest: dict[UUID, int] = {}
    for event in page.events:
        highest[event.stream_id] = max(event.version, highest.get(event.stream_id, 0))
    async with pool.acquire() as connection, connection.transaction():
        await _hold(connection, at)
        await connection.execute(SQL.note_versions, list(highest), list(highest.values()))
        is_last = not page.has_more
        # Written from the beginning of the log; what was noted stands on the streams.
        after = None if is_last and then == "writing" else page.next
        await _move(connection, then if is_last else at.phase, after, events=len(page.events))
    if page.has_more and not page.events:
        await asyncio.sleep(_WRITER_IN_FLIGHT_S)


async def _write(pool: Pool, feed: Feed, projection: Projection, at: Progress) -> None:
    page = await feed.read(at.after)
    async with pool.acquire() as connection, connection.transaction():
        await _hold(connection, at)
        rows = await connection.fetch(
            SQL.list_newest,
            [event.stream_id for event in page.events],
            [event.version for event in page.events],
        )
        told = [page.events[row["place"] - 1] for row in rows]
        overruled = {
            one.stream_id for one, row in zip(told, rows, strict=True) if row["is_overruled"]
        }
        if told:
            newest = {one.stream_id: one for one in sorted(told, key=lambda one: one.version)}
            await projection.rewrite(connection, list(newest.values()), overruled=overruled)
        phase: Phase = "writing" if page.has_more else "removing"
        after = page.next if page.has_more else None
        await _move(connection, phase, after, events=len(page.events))
    if page.has_more and not page.events:
        await asyncio.sleep(_WRITER_IN_FLIGHT_S)


async def _remove(pool: Pool, _: Feed, projection: Projection, at: Progress) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await _hold(connection, at)
        rows = await connection.fetch(SQL.take_strangers, _STRANGERS_AT_ONCE)
        if rows:
            await projection.remove(connection, {row["stream_id"]: row["held"] for row in rows})
        else:
            await _move(connection, "sweeping", None)
    if rows:
        logger.warning("rebuild.removed", extra={"items": len(rows)})


async def _sweep(pool: Pool, _: Feed, projection: Projection, at: Progress) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await _hold(connection, at)
        swept = await projection.sweep(connection, at.after)
        await _move(connection, "done" if swept is None else "sweeping", swept)


async def _hold(connection: Connection, at: Progress) -> None:
    """Keep the rebuild where it is until the transaction ends.

    Raises:
        _OvertakenError: it is elsewhere by now.
    """
    if await connection.fetchval(SQL.hold_rebuild, at.phase, at.after) is None:
        raise _OvertakenError


async def _move(
    connection: Connection, phase: Phase, after: str | None, *, events: int = 0
) -> None:
    await connection.execute(SQL.move_rebuild, phase, after, events)


_STEPS = {
    "reading": _read,
    "doubting": _doubt,
    "catching_up": _catch_up,
    "writing": _write,
    "removing": _remove,
    "sweeping": _sweep,
}


def line_of(progress: Progress) -> str:
    """Return the progress as a line for whoever watches the command."""
    return f"rebuild: {progress.phase.replace('_', ' ')}, {progress.events} events looked at"
