"""Reads an append-only table in the order of its positions, never past one still to be filled.

Positions are drawn before their transactions commit, so a lower one may become visible after a
higher one, and a reader that only remembers the highest would miss it for ever. A position is
closed when no gap lies before it, or when nobody can fill the gaps any more: whoever could has held
the table's lock since before the rows beyond the gap were seen. Such writers are few and quick; a
foreign transaction that writes elsewhere is never waited for.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

import msgspec

from libs.clock import monotonic_s
from libs.postgres.sql import SQL
from libs.postgres.types import Connection, Record

WAIT_MAX_S: Final = 1.0
"""Longest wait for a writer in one read; after it the rows before the gap are all there is."""
_LOOK_AGAIN_S: Final = 0.02

Acquire = Callable[[], AbstractAsyncContextManager[Connection]]


class ClosedRows(msgspec.Struct, frozen=True):
    """Rows in order; ``has_more`` where a further read would begin with rows that are there."""

    rows: Sequence[Record]
    has_more: bool


class _Watch(msgspec.Struct, frozen=True):
    """Everything up to ``bound`` is closed once none of ``writers`` is at work."""

    bound: int
    writers: frozenset[str]


class ClosedPositions:
    """Reads ``table`` by ``statement``: its first parameter is the position after which to begin,
    its second how many rows to return; every row has a ``position``, none is left out.
    """

    def __init__(self, acquire: Acquire, *, table: str, statement: str) -> None:
        self._acquire = acquire
        self._table = table
        self._statement = statement
        self._closed = 0
        self._watch: _Watch | None = None

    async def read(self, after: int, *parameters: Any, limit: int) -> ClosedRows:
        """Return up to ``limit`` closed rows after a position, with the statement's parameters.

        Where the very first row is not closed, writers in flight are waited for, up to
        ``WAIT_MAX_S``; no connection is held meanwhile.
        """
        until_s = monotonic_s() + WAIT_MAX_S
        while True:
            async with self._acquire() as connection:
                rows = await connection.fetch(self._statement, after, limit, *parameters)
                closed = self._closed_among(after, rows)
                is_late = monotonic_s() > until_s
                is_open = closed < len(rows) and not is_late
                # What was in flight may have become visible by now.
                if is_open and await self._close(connection, rows[-1]["position"]):
                    continue
            if closed or not rows or is_late:
                return ClosedRows(rows[:closed], has_more=len(rows) == limit or closed < len(rows))
            await asyncio.sleep(_LOOK_AGAIN_S)

    def _closed_among(self, after: int, rows: Sequence[Record]) -> int:
        """Return how many of ``rows``, all that follow ``after``, are closed."""
        if rows and rows[-1]["position"] - after == len(rows):
            return len(rows)
        before = after
        for index, row in enumerate(rows):
            position = row["position"]
            if position != before + 1 and position - 1 > self._closed:
                return index
            before = position
        return len(rows)

    async def _close(self, connection: Connection, bound: int) -> bool:
        """Take one step towards closing all up to ``bound``, which was seen before this call.

        Return whether anything was closed: then the rows are to be read again.
        """
        # Taken before the question: writers listed earlier than a bound was seen prove nothing.
        watch = self._watch
        writers = frozenset(await connection.fetchval(SQL.list_writers, self._table))
        before = self._closed
        if watch is not None and not watch.writers & writers:
            self._closed = max(self._closed, watch.bound)
            self._watch = None if self._watch is watch else self._watch
        if not writers:
            self._closed = max(self._closed, bound)
        elif self._watch is None:
            self._watch = _Watch(bound, writers)
        return self._closed > before
