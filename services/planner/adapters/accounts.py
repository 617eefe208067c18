"""Table ``plan`` for questions: a day's account, its progress, one person's occurrences."""

from collections.abc import Sequence
from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.account import Entry
from services.planner.domain.facts import PlannedDay
from services.planner.domain.state import State


class InstantProgress(msgspec.Struct, frozen=True):
    """How far the occurrences due at one instant have come, and whose clocks show it."""

    due_at: datetime
    owed: int
    accepted: int
    pending: int
    ended: int
    zones: list[str]


class Occurrence(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence as the plan has it."""

    local_day: date
    person_id: UUID
    kind: str
    due_at: datetime
    expires_at: datetime
    state: State
    reason: str | None
    release: int
    zone: str
    period: date
    years: int | None
    settled_at: datetime | None

    def day(self) -> PlannedDay:
        """Return the row as the rule sees it."""
        return PlannedDay(self.local_day, self.period, self.state, self.reason)


async def read_ledger(connection: Connection, first: date, last: date) -> list[Entry]:
    """Return the entries of the days from ``first`` to ``last``."""
    return [Entry(**row) for row in await connection.fetch(SQL.read_ledger, first, last)]


async def read_progress(connection: Connection, local_day: date) -> list[InstantProgress]:
    """Return the day's instants in order."""
    rows = await connection.fetch(SQL.read_progress, local_day)
    return [InstantProgress(**row) for row in rows]


async def list_occurrences(
    connection: Connection, person_id: UUID, *, first: date, last: date, limit: int
) -> list[Occurrence]:
    """Return the person's planned occurrences from ``first`` to ``last``, newest first."""
    rows = await connection.fetch(SQL.list_occurrences, person_id, first, last, limit)
    return [Occurrence(**row) for row in rows]


async def list_expired(
    connection: Connection, local_day: date, *, after: tuple[UUID, str], limit: int
) -> list[Occurrence]:
    """Return what of a day expired, by person and kind after ``after``."""
    rows = await connection.fetch(SQL.list_expired, local_day, *after, limit)
    return [Occurrence(**row) for row in rows]


async def list_kind_rows(
    connection: Connection,
    person_id: UUID,
    kind: str,
    *,
    periods: Sequence[date],
    days: Sequence[date],
) -> tuple[PlannedDay, ...]:
    """Return what the plan holds of a person and a kind in ``periods`` and on ``days``."""
    if not days:
        return ()
    first = min([*periods, *days])
    rows = await connection.fetch(SQL.list_kind_rows, person_id, kind, first, periods, days)
    return tuple(PlannedDay(**row) for row in rows)
