"""Serves the log as a feed: events unsealed on their way, erased people as their erasure only."""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.user_events import USER_ERASED
from libs.eventstore.feed import BadPositionError, Entry, Slice
from libs.postgres.closed_positions import ClosedPositions
from libs.postgres.types import Record
from services.user.adapters.events import Metadata, open_event
from services.user.adapters.publication import message_of
from services.user.adapters.sql import SQL
from services.user.adapters.store import Store, connection_of
from services.user.domain.person import Change

_FORM: Final = re.compile(r"[0-9]{1,18}")
_SCAN_ROWS: Final = 5000
"""Rows looked at where only some types are wanted; all of them are read by index, few unsealed."""
_UNSEALED_AT_A_TIME: Final = 250
"""Other requests have their turn after so many."""

_metadata = msgspec.json.Decoder(Metadata)


class PeopleFeed:
    """The events of all people in the order of their positions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._rows = ClosedPositions(
            lambda: connection_of(store), table="events", statement=SQL.list_events_after
        )

    async def read(self, after: str | None, *, limit: int, types: frozenset[str]) -> Slice:
        """Return up to ``limit`` events after a position, of ``types``, or of all where empty.

        Raises:
            BadPositionError: ``after`` is no position of this log.
            UnavailableError: the database is away.
        """
        if after is not None and not _FORM.fullmatch(after):
            raise BadPositionError(after)
        scanned = max(limit, _SCAN_ROWS) if types else limit
        read = await self._rows.read(int(after or 0), sorted(types), limit=scanned)
        rows = _up_to(read.rows, wanted=limit)
        entries = await self._unsealed(rows)
        reached = str(rows[-1]["position"]) if rows else after
        return Slice(entries, reached, has_more=read.has_more or len(rows) < len(read.rows))

    async def _unsealed(self, rows: Sequence[Record]) -> list[Entry]:
        entries: list[Entry] = []
        for start in range(0, len(rows), _UNSEALED_AT_A_TIME):
            part = rows[start : start + _UNSEALED_AT_A_TIME]
            entries += [self._entry(row) for row in part if _is_told(row)]
            await asyncio.sleep(0)
        return entries

    def _entry(self, row: Record) -> Entry:
        person_id, version = row["stream_id"], row["version"]
        state = open_event(self._store, row, person_id=person_id, version=version)
        traceparent = _metadata.decode(row["metadata"]).traceparent
        message = message_of(
            Change(row["type"], state), recorded_at=row["recorded_at"], traceparent=traceparent
        )
        return Entry(str(row["position"]), row["type"], message)


def _up_to(rows: Sequence[Record], *, wanted: int) -> Sequence[Record]:
    """Return the rows up to the one that completes the number wanted."""
    found = 0
    for index, row in enumerate(rows):
        found += row["is_wanted"]
        if found == wanted:
            return rows[: index + 1]
    return rows


def _is_told(row: Record) -> bool:
    is_readable = row["wrapped_key"] is not None or row["type"] == USER_ERASED
    return row["is_wanted"] and is_readable
