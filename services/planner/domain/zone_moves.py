"""What another release of the zone data moves: zone-days in general, instants of the plan."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta

import msgspec

from contracts.kinds import Kind
from libs.localtime import ZoneData
from services.planner.domain.falling import due_instant

_ONE_DAY = timedelta(days=1)


class ZoneMove(msgspec.Struct, frozen=True, kw_only=True):
    """From ``first_day`` to ``last_day`` the wall time comes ``later_by`` in ``zone`` than before.

    ``before`` and ``after`` are the instants of the first day.
    """

    zone: str
    wall_time: time
    first_day: date
    last_day: date
    before: datetime
    after: datetime

    @property
    def later_by(self) -> timedelta:
        """How much later, negative where it is earlier."""
        return self.after - self.before

    @property
    def days(self) -> int:
        """How many days it is about."""
        return (self.last_day - self.first_day).days + 1


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """How two releases differ; ``gone`` and ``added`` are names that one of them lacks."""

    moves: list[ZoneMove]
    gone: list[str]
    added: list[str]


class PlannedInstant(msgspec.Struct, frozen=True):
    """So many pending rows of a day, of this kind and zone, are planned for ``due_at``."""

    kind: str
    zone: str
    due_at: datetime
    rows: int


class Moved(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of a local day that belong to another instant than they are planned for."""

    local_day: date
    kind: str
    zone: str
    due_at: datetime
    new_due_at: datetime
    new_expires_at: datetime
    rows: int


def compare(
    before: ZoneData, after: ZoneData, *, wall_times: Iterable[time], first: date, last: date
) -> Comparison:
    """Return which zone-days from ``first`` to ``last`` move from one release to the other."""
    days = [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
    common = sorted(set(before.names) & set(after.names))
    times = sorted(set(wall_times))
    return Comparison(
        moves=[
            move
            for zone in common
            for wall_time in times
            for move in _moves_in(zone, wall_time, days, before, after)
        ],
        gone=sorted(set(before.names) - set(after.names)),
        added=sorted(set(after.names) - set(before.names)),
    )


def moved_instants(
    local_day: date, planned: Iterable[PlannedInstant], kinds: Mapping[str, Kind]
) -> list[Moved]:
    """Return what of ``planned`` is due at another instant by the zone data in use.

    Kinds that are not there any more are left to the release, which ends them.
    """
    due = (
        (one, kind, due_instant(local_day, kind.wall_time, one.zone))
        for one in planned
        if (kind := kinds.get(one.kind)) is not None
    )
    return [
        Moved(
            local_day=local_day,
            kind=one.kind,
            zone=one.zone,
            due_at=one.due_at,
            new_due_at=due_at,
            new_expires_at=due_at + kind.late_limit,
            rows=one.rows,
        )
        for one, kind, due_at in due
        if due_at != one.due_at
    ]


def _moves_in(
    zone: str, wall_time: time, days: Sequence[date], before: ZoneData, after: ZoneData
) -> Iterator[ZoneMove]:
    found = [
        (day, old, new)
        for day in days
        if (old := before.instant_at(day, wall_time, zone))
        != (new := after.instant_at(day, wall_time, zone))
    ]
    move: ZoneMove | None = None
    for day, old, new in found:
        if move is not None and _continues(move, day, new - old):
            move = msgspec.structs.replace(move, last_day=day)
            continue
        if move is not None:
            yield move
        move = ZoneMove(
            zone=zone, wall_time=wall_time, first_day=day, last_day=day, before=old, after=new
        )
    if move is not None:
        yield move


def _continues(move: ZoneMove, day: date, later_by: timedelta) -> bool:
    return day == move.last_day + _ONE_DAY and later_by == move.later_by
