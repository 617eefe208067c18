"""Table ``celebrations``: whose day of which kind is when."""

from collections.abc import Sequence
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.celebration import Celebration


class CelebrationKey(msgspec.Struct, frozen=True):
    """What names a celebration."""

    bucket: int
    person_id: UUID
    kind: str


_BEFORE_ALL = CelebrationKey(-(2**15), UUID(int=0), "")


async def remove_celebrations(
    connection: Connection, gone: Sequence[Celebration | CelebrationKey]
) -> None:
    """Remove the celebrations with the bucket, person and kind of each of ``gone``."""
    if gone:
        await connection.execute(
            SQL.remove_celebrations,
            [one.bucket for one in gone],
            [one.person_id for one in gone],
            [one.kind for one in gone],
        )


async def file_celebrations(connection: Connection, filed: Sequence[Celebration]) -> None:
    """File ``filed``, replacing what the same bucket, person and kind held."""
    if filed:
        rows = [(*msgspec.structs.astuple(one)[:-1], " ".join(one.zones_left)) for one in filed]
        columns = (list(column) for column in zip(*rows, strict=True))
        await connection.execute(SQL.file_celebrations, *columns)


async def list_celebrations_after(
    connection: Connection, after: CelebrationKey | None, *, limit: int
) -> list[CelebrationKey]:
    """Return up to ``limit`` celebrations that follow ``after``, or the first, in order."""
    start = after or _BEFORE_ALL
    rows = await connection.fetch(
        SQL.list_celebrations_after, start.bucket, start.person_id, start.kind, limit
    )
    return [CelebrationKey(**row) for row in rows]
