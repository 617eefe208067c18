"""Serves what was published as a feed, as far back as the outbox's partitions are kept."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from libs.eventstore.feed import BadPositionError, Entry, PositionGoneError, Slice
from libs.outbox.pages import ROWS_PER_PARTITION
from libs.outbox.sql import SQL
from libs.postgres import partitions
from libs.postgres.closed_positions import Acquire, ClosedPositions
from libs.postgres.types import Record

_MAX_ROWS: Final = 1000
_FORM: Final = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,3}))?")

_items = msgspec.json.Decoder(list[msgspec.Raw])


class _Place(msgspec.Struct, frozen=True):
    """After row ``row`` entirely, or only after its item number ``item``."""

    row: int
    item: int | None = None

    @property
    def read_after(self) -> int:
        return self.row if self.item is None else self.row - 1

    @property
    def text(self) -> str:
        return str(self.row) if self.item is None else f"{self.row}.{self.item}"


class OutboxFeed:
    """The events one service sends to ``exchange``, in the order of the outbox's rows."""

    def __init__(self, acquire: Acquire, *, exchange: str) -> None:
        self._acquire = acquire
        self._exchange = exchange
        self._rows = ClosedPositions(acquire, table="outbox", statement=SQL.list_after)

    async def read(self, after: str | None, *, limit: int, types: frozenset[str]) -> Slice:
        """Return up to ``limit`` events after a position, of ``types``, or of all where empty.

        Raises:
            BadPositionError: ``after`` is no position of an outbox.
            PositionGoneError: its partition was dropped.
        """
        place = _Place(0) if after is None else _place(after)
        if after is not None:
            await self._refuse_gone(place)
        wanted = limit + (0 if place.item is None else place.item + 1)
        read = await self._rows.read(
            place.read_after, self._exchange, sorted(types), wanted, limit=_MAX_ROWS
        )
        entries: list[Entry] = []
        reached = place
        for row in read.rows:
            if row["is_beyond"] or len(entries) == limit:
                return Slice(entries, reached.text, has_more=True)
            reached = _take(row, place, entries=entries, limit=limit)
        is_partial = reached.item is not None
        return Slice(
            entries,
            reached.text if reached.row else None,
            has_more=read.has_more or is_partial,
        )

    async def _refuse_gone(self, place: _Place) -> None:
        async with self._acquire() as connection:
            kept = await partitions.partition_names(connection, "outbox")
        first_kept = int(kept[0].rpartition("_")[2]) * ROWS_PER_PARTITION if kept else 0
        if place.read_after < first_kept - 1:
            raise PositionGoneError


def _place(text: str) -> _Place:
    match = _FORM.fullmatch(text)
    if match is None:
        raise BadPositionError(text)
    return _Place(int(match[1]), int(match[2]) if match[2] else None)


def _take(row: Record, begun: _Place, *, entries: list[Entry], limit: int) -> _Place:
    """Add the items of ``row`` that follow ``begun``; return where that leads."""
    position: int = row["position"]
    if not row["is_wanted"]:
        return _Place(position)
    first = begun.item + 1 if begun.item is not None and begun.row == position else 0
    items = _items.decode(b"[" + row["body"] + b"]")
    last = min(len(items), first + limit - len(entries))
    entries += _entries(row, items, first=first, last=last)
    return _Place(position, None if last == len(items) else last - 1)


def _entries(
    row: Record, items: Sequence[msgspec.Raw], *, first: int, last: int
) -> Iterator[Entry]:
    for index in range(first, last):
        is_last = index + 1 == len(items)
        place = _Place(row["position"], None if is_last else index)
        yield Entry(place.text, row["routing_key"], bytes(items[index]))
