"""Moves messages from the outbox to the broker: the only publisher of events.

The cursor is the set of published positions, not the highest one. Positions are drawn before their
transactions commit, so a lower one may become visible after a higher one was published; a cursor
that only remembers the highest would skip it for ever. Here it stays a gap in the set, is found at
the next look, and nobody waits for it meanwhile.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Protocol

import msgspec

from libs.clock import monotonic_s
from libs.outbox.pages import create_ahead, drop_published, turn_page
from libs.outbox.sql import SQL
from libs.postgres.types import Connection, Pool, Record

_MAX_ITEMS = 500
_MAX_BODY_BYTES = 1_000_000


class Publisher(Protocol):
    """What the relay needs of a broker."""

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, *, items: int, message_id: str
    ) -> None:
        """Return once the broker keeps the message in at least one queue, or raise."""
        ...


class _Message(msgspec.Struct):
    """Rows of one routing key that travel together; ``body_bytes`` counts brackets and commas."""

    exchange: str
    routing_key: str
    positions: list[int]
    bodies: list[bytes]
    items: int
    body_bytes: int

    def has_room_for(self, row: Record) -> bool:
        return (
            self.items + row["items"] <= _MAX_ITEMS
            and self.body_bytes + len(row["body"]) + 1 <= _MAX_BODY_BYTES
        )

    def add(self, row: Record) -> None:
        self.positions.append(row["position"])
        self.bodies.append(row["body"])
        self.items += row["items"]
        self.body_bytes += len(row["body"]) + 1


class _GapWatch(msgspec.Struct):
    """Gaps below ``bound``, first seen at ``seen_at_s``; ``noted`` is a later transaction id."""

    bound: int
    seen_at_s: float
    noted: int | None = None


class Relay:
    """Publishes what waits in one database's outbox.

    Any number of copies may run; the cursor's row lock lets one publish at a time. A crash between
    the last confirm and the commit publishes the batch again: consumers ignore what they have.

    ``statement_timeout_s`` is the longest any statement of this database's writers may last.
    ``kept`` is for how long partitions stay after their last row was recorded, for those who read
    the outbox as a feed.
    """

    def __init__(
        self,
        pool: Pool,
        publisher: Publisher,
        *,
        name: str,
        batch_rows: int = 500,
        statement_timeout_s: float = 30.0,
        kept: timedelta = timedelta(0),
        page: timedelta | None = None,
    ) -> None:
        self._pool = pool
        self._publisher = publisher
        self._name = name
        self._batch_rows = batch_rows
        self._statement_timeout_s = statement_timeout_s
        self._kept = kept
        self._page = page
        self._watch: _GapWatch | None = None
        self._is_quiet = False

    async def run_once(self) -> int:
        """Publish up to a batch of waiting rows and return how many were read.

        0 means that none waits or that another relay is at work. What the broker refuses stays in
        the outbox; the rest of the batch goes on.

        Raises:
            ExceptionGroup: some messages were not confirmed.
        """
        async with self._pool.acquire() as connection:
            # Most looks find nothing: while it is quiet one statement tells, without a transaction.
            if self._is_quiet and not await connection.fetchval(SQL.is_any_unpublished):
                return 0
            read = await self._publish_batch(connection)
        self._is_quiet = not read
        return read

    async def _publish_batch(self, connection: Connection) -> int:
        async with connection.transaction():
            if await connection.fetchval(SQL.take_cursor) is None:
                return 0
            rows = await connection.fetch(SQL.read_unpublished, self._batch_rows)
            if not rows:
                return 0
            published, failures = await self._publish(_messages(rows))
            # Only after the last confirm: a crash before this line repeats, it never skips.
            if published:
                await connection.execute(SQL.move_cursor, published)
        if failures:
            raise ExceptionGroup(f"{self._name}: {len(failures)} messages unconfirmed", failures)
        return len(rows)

    async def _publish(self, messages: Sequence[_Message]) -> tuple[list[int], list[Exception]]:
        results = await asyncio.gather(
            *(self._publish_one(message) for message in messages), return_exceptions=True
        )
        published: list[int] = []
        failures: list[Exception] = []
        for message, result in zip(messages, results, strict=True):
            if isinstance(result, Exception):
                failures.append(result)
            elif result is not None:
                raise result
            else:
                published.extend(message.positions)
        return published, failures

    async def _publish_one(self, message: _Message) -> None:
        await self._publisher.publish(
            message.exchange,
            message.routing_key,
            b"[" + b",".join(message.bodies) + b"]",
            items=message.items,
            message_id=f"{self._name}-{message.positions[0]}-{message.positions[-1]}",
        )

    async def close_gaps(self) -> bool:
        """Take one step towards closing gaps that no transaction can fill any more.

        A position whose transaction rolled back stays a gap, and every look walks it. A gap may be
        closed once all transactions that could have drawn it have ended. A transaction may draw a
        position a moment before it gets its id, but both happen within one statement; so we wait
        longer than any statement lasts, note a transaction id, and wait until the transaction
        horizon has passed it. A foreign transaction that stays open delays the closing, nothing
        else. Return whether gaps were closed.
        """
        async with self._pool.acquire() as connection:
            if self._watch is None:
                bound = await connection.fetchval(SQL.find_gap_bound)
                self._watch = _GapWatch(bound, monotonic_s()) if bound else None
                return False
            if self._watch.noted is None:
                if monotonic_s() - self._watch.seen_at_s > self._statement_timeout_s + 1:
                    self._watch.noted = await connection.fetchval(SQL.note_transaction)
                return False
            if not await connection.fetchval(SQL.is_horizon_past, self._watch.noted):
                return False
            return await self._close_below(connection, self._watch.bound)

    async def _close_below(self, connection: Connection, bound: int) -> bool:
        async with connection.transaction():
            if await connection.fetchval(SQL.take_cursor) is None:
                return False
            is_closed = await connection.fetchval(SQL.close_gaps, bound) is not None
        self._watch = None
        return is_closed

    async def keep_partitions(self) -> None:
        """Create the outbox partitions ahead; drop those published throughout and kept enough.

        Where a page time is given, a partition that holds a row older than that takes no more.
        """
        async with self._pool.acquire() as connection:
            for progress in await connection.fetch(SQL.read_progress):
                await create_ahead(connection, progress["drawn"])
                await drop_published(connection, progress["unpublished"], kept=self._kept)
            if self._page is not None:
                await turn_page(connection, older_than=self._page)


def _messages(rows: Sequence[Record]) -> list[_Message]:
    """Join rows of one routing key into messages, keeping their order."""
    messages: list[_Message] = []
    latest: dict[tuple[str, str], _Message] = {}
    for row in rows:
        key = (row["exchange"], row["routing_key"])
        message = latest.get(key)
        if message is None or not message.has_room_for(row):
            message = _Message(*key, positions=[], bodies=[], items=0, body_bytes=1)
            latest[key] = message
            messages.append(message)
        message.add(row)
    return messages
