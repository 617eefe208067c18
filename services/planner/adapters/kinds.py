"""Table ``kinds``: which kinds are filed for everyone."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL


class Filing(msgspec.Struct, frozen=True):
    """A kind that is filed for people up to ``upto``, None: for nobody yet."""

    kind: str
    upto: UUID | None


async def note_kinds(connection: Connection, kinds: Sequence[str]) -> None:
    """Note which of ``kinds`` are new here."""
    await connection.execute(SQL.note_kinds, kinds)


async def take_unfiled_kind(connection: Connection, kinds: Sequence[str]) -> Filing | None:
    """Take one of ``kinds`` that is not filed for everyone."""
    row = await connection.fetchrow(SQL.take_unfiled_kind, kinds)
    return None if row is None else Filing(**row)


async def move_filing(connection: Connection, kind: str, upto: UUID) -> None:
    """Note how far the filing of ``kind`` has come."""
    await connection.execute(SQL.move_filing, kind, upto, None)


async def finish_filing(connection: Connection, kind: str, *, now: datetime) -> None:
    """Note that ``kind`` is filed for everyone."""
    await connection.execute(SQL.move_filing, kind, None, now)
