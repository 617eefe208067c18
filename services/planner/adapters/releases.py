"""Table ``plan``: taking rows that are due, or silent, for release."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from itertools import starmap
from typing import Literal
from uuid import UUID

import msgspec

from contracts.dispatch import DispatchRequested
from libs.postgres.types import Connection
from services.planner.adapters.sql import SQL
from services.planner.domain.planned import Planned
from services.planner.domain.state import State

Verdict = Literal[
    "released", "stale", "user_removed", "opted_out", "called_off", "too_late", "paused"
]


class Taken(msgspec.Struct, frozen=True):
    """A due row and what was decided about it. A ``stale`` one is not changed yet.

    ``requested_version`` is the version of its person by which it was requested last, if ever.
    The fields stand in the order in which ``release_due.sql`` returns them.
    """

    verdict: Verdict
    requested_version: int | None
    local_day: date
    person_id: UUID
    kind: str
    state: State
    release: int
    period: date
    due_at: datetime
    release_at: datetime
    expires_at: datetime
    person_version: int
    years: int | None

    def request(self) -> DispatchRequested:
        """Return what the dispatcher is asked for: to go by no older version than this planner."""
        return DispatchRequested(
            local_day=self.local_day,
            person_id=self.person_id,
            kind=self.kind,
            release=self.release,
            period=self.period,
            due_at=self.due_at,
            expires_at=self.expires_at,
            person_version=self.requested_version or self.person_version,
            years=self.years,
        )

    def planned(self) -> Planned:
        """Return the row as the domain sees it."""
        return Planned(
            local_day=self.local_day,
            person_id=self.person_id,
            kind=self.kind,
            state=self.state,
            release=self.release,
            due_at=self.due_at,
            release_at=self.release_at,
            person_version=self.person_version,
        )


class Window(msgspec.Struct, frozen=True):
    """The local days of which anything can be due: their partitions alone are read."""

    first: date
    last: date


class NextRelease(msgspec.Struct, frozen=True):
    """The next row of ``local_day`` is due at ``release_at``."""

    local_day: date
    release_at: datetime


async def take_due(
    connection: Connection,
    local_day: date,
    *,
    now: datetime,
    limit: int,
    ask_after: timedelta,
) -> list[Taken]:
    """Judge up to ``limit`` due rows of a day, earliest first; ``ask_after`` is real time.

    Needs ``lock_holds_shared``.
    """
    rows = await connection.fetch(SQL.release_due, now, local_day, limit, ask_after)
    return list(starmap(Taken, rows))


async def take_silent(
    connection: Connection, window: Window, *, ask_after: timedelta, limit: int
) -> list[DispatchRequested]:
    """Take up to ``limit`` releases that were not answered in time."""
    rows = await connection.fetch(SQL.take_silent, window.first, ask_after, limit, window.last)
    return [DispatchRequested(**row) for row in rows]


async def count_released(connection: Connection, window: Window, *, upto: int) -> int:
    """Return how many releases have no answer, counting no further than ``upto``."""
    count: int = await connection.fetchval(SQL.count_released, window.first, window.last, upto)
    return count


async def list_next_releases(connection: Connection, window: Window) -> list[NextRelease]:
    """Return when the next row of each open day of the window is due, earliest first."""
    rows = await connection.fetch(SQL.list_next_releases, window.first, window.last)
    return [NextRelease(**row) for row in rows]


def people_of(rows: Sequence[Taken]) -> list[UUID]:
    """Return whose rows they are, each person once."""
    return sorted({row.person_id for row in rows})
