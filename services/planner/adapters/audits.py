"""Tables ``celebrations``, ``plan`` and ``days``, compared with each other."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.plan import instant_look_up
from services.planner.adapters.sql import SQL
from services.planner.domain.falling import Falling

_COUNTED_UPTO = 100_000


class Stretch(msgspec.Struct, frozen=True):
    """The people of ``bucket`` after ``after``, None: all, as far as they celebrate on a day."""

    local_day: date
    bucket: int
    after: UUID | None = None


async def list_audited_days(connection: Connection) -> list[date]:
    """Return the days whose plan must be complete."""
    return [row["local_day"] for row in await connection.fetch(SQL.list_audited_days)]


async def find_stretch_end(connection: Connection, stretch: Stretch, *, size: int) -> UUID | None:
    """Return the person with whom ``size`` celebrations end; None where there are fewer."""
    person: UUID | None = await connection.fetchval(
        SQL.find_stretch_end, stretch.bucket, stretch.after, size
    )
    return person


async def count_missing(
    connection: Connection,
    falls: Sequence[Falling],
    instants: Mapping[tuple[date, time], Mapping[str, datetime]],
    stretch: Stretch,
    *,
    upto: UUID | None,
) -> int:
    """Return how much of a stretch up to ``upto`` is owed and not in the plan."""
    missing: int = await connection.fetchval(
        SQL.count_missing,
        [msgspec.structs.astuple(falling) for falling in falls],
        instant_look_up(instants),
        stretch.bucket,
        stretch.after,
        upto,
        stretch.local_day,
    )
    return missing


async def count_unanswered(connection: Connection, *, since: date, longer_than: timedelta) -> int:
    """Return how many releases of days from ``since`` on have no answer for that real time."""
    count: int = await connection.fetchval(SQL.count_unanswered, since, longer_than, _COUNTED_UPTO)
    return count


async def count_open_pauses(connection: Connection) -> int:
    """Return how many pauses are not resumed."""
    count: int = await connection.fetchval(SQL.count_open_pauses)
    return count
