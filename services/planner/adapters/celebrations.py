"""Table ``celebrations``: whose day of which kind is when."""

from collections.abc import Sequence

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.celebration import Celebration


async def remove_celebrations(connection: Connection, gone: Sequence[Celebration]) -> None:
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
