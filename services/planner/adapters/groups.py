"""Everybody, in groups of whom a simulation decides once; read in pieces, never all at once."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from libs.postgres.types import Connection, Record
from services.planner.adapters.holds import list_person_cancellations, list_person_pauses
from services.planner.adapters.sql import SQL
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.holds import Cancellation, Pause
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES
from services.planner.domain.simulation import Group, telling_characters
from services.planner.domain.state import State

PIECE = 250
"""Groups read at a time: between two pieces the process does other things."""

_EASTERNMOST = timedelta(hours=14)
_NOBODY = UUID(int=0)
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_A_PAUSE = (
    Pause(
        pause_id=_NOBODY,
        person_id=_NOBODY,
        kind=None,
        reason=None,
        paused_at=_LONG_AGO,
        paused_by="",
    ),
)
_rows = msgspec.json.Decoder(list[tuple[date, date, State, str | None]])
_spans = msgspec.json.Decoder(list[tuple[date, date]])
_instants = msgspec.json.Decoder(dict[str, datetime])


async def read_groups(
    connection: Connection, kinds: Sequence[Kind], *, first: date, now: datetime
) -> AsyncIterator[Group]:
    """Yield groups that hold for all of ``kinds``, variants of one kind, from ``first`` on.

    Needs a transaction, whose snapshot all of them are.
    """
    kind = kinds[0]
    general = Facts(
        now=now,
        pauses=tuple(await list_person_pauses(connection, _NOBODY)),
        cancellations=tuple(await list_person_cancellations(connection, _NOBODY, since=first)),
    )
    floor = datetime.combine(first, time(), UTC) - _EASTERNMOST
    cursor = connection.cursor(
        SQL.group_people,
        kind.name,
        kind.date_field,
        max(telling_characters(one) for one in kinds),
        first,
        floor,
        min(RECURRENCES[one.cadence].period_of(first) for one in kinds),
        prefetch=PIECE,
    )
    async for row in cursor:
        yield _group(row, kind, floor=floor, general=general)


async def count_people(connection: Connection) -> int:
    """Return how many people are there."""
    count: int = await connection.fetchval(SQL.count_people)
    return count


def _group(row: Record, kind: Kind, *, floor: datetime, general: Facts) -> Group:
    first, last = row["first_example"], row["last_example"]
    return Group(
        row["people"],
        (first,) if first == last else (first, last),
        _representative(row, kind, floor=floor),
        msgspec.structs.replace(
            general,
            rows=_planned(row["rows"]),
            blocks={kind.name: row["block"]} if row["block"] else {},
            pauses=general.pauses + (_A_PAUSE if row["is_paused"] else ()),
            cancellations=general.cancellations + _cancellations(row["called_off"]),
        ),
    )


def _representative(row: Record, kind: Kind, *, floor: datetime) -> Recipient:
    return Recipient(
        person_id=_NOBODY,
        version=1,
        schedule_version=1,
        is_active=row["is_active"],
        is_erased=row["is_erased"],
        zone=row["zone"] or "UTC",
        leap_day=row["leap_day"] or "feb28",
        active_since=row["since"] or floor,
        dates={} if row["date"] is None else {kind.date_field: row["date"]},
        opt_outs=(kind.name,) if row["is_opted_out"] else (),
        zones_left=_instants.decode(row["zones_left"]) if row["zones_left"] else {},
    )


def _cancellations(text: str | None) -> tuple[Cancellation, ...]:
    """Return what calls off the group's days: which of many people's it is makes no difference."""
    return tuple(
        Cancellation(
            cancellation_id=_NOBODY,
            person_id=_NOBODY,
            kind=None,
            first_day=first_day,
            last_day=last_day,
            reason=None,
            cancelled_at=_LONG_AGO,
            cancelled_by="",
        )
        for first_day, last_day in (_spans.decode(text) if text else ())
    )


def _planned(text: str | None) -> tuple[PlannedDay, ...]:
    return tuple(PlannedDay(*one) for one in _rows.decode(text)) if text else ()
