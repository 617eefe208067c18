"""What may be asked of a simulation, and what is wrong with what was asked."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import msgspec

from contracts.kinds import Cadence, Kind
from contracts.kinds.kind import DateField
from libs.httpapi.problems import FieldError
from libs.localtime import PINNED, UnknownZoneError, ZoneData
from services.planner.app.simulating import Question
from services.planner.domain.backlog import Outage
from services.planner.domain.decision import InstantOf
from services.planner.domain.falling import due_instant
from services.planner.domain.recurrence import LeapDay
from services.planner.domain.simulation import Per, Setting

MAX_DAYS = 366

_FIRST_YEAR, _LAST_YEAR = 1900, 2999

KindName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Release = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[0-9]{4}([a-z]{1,2}|\.[0-9]+)$", description="Of the zone data: 2022a."
    ),
]
MailsPerS = Annotated[
    float, msgspec.Meta(ge=1e-6, le=1e6, description="What the provider takes; absent: no limit.")
]


class KindChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is different about a kind; a new one needs ``date_field`` and ``cadence``."""

    wall_time: Annotated[time, msgspec.Meta(tz=False)] | None = None
    late_limit_h: Annotated[float, msgspec.Meta(gt=0, le=8784)] | None = None
    cadence: Cadence | None = None
    date_field: DateField | None = None


class OutageTime(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Nothing is sent from one instant to another."""

    first_at: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="from")
    last_at: Annotated[datetime, msgspec.Meta(tz=True)] = msgspec.field(name="to")

    def outage(self) -> Outage:
        """Return it as the domain knows it."""
        return Outage(first_at=self.first_at, last_at=self.last_at)


class WhatIf(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What might be different.

    ``kinds`` are changed, added or, where null, gone. ``leap_day`` is everybody's who was born on
    29 February. ``tzdata`` is a release the planner was given beside its own.
    """

    kinds: Annotated[dict[KindName, KindChange | None], msgspec.Meta(max_length=20)] = {}
    leap_day: LeapDay | None = None
    tzdata: Release | None = None
    mails_per_s: MailsPerS | None = None
    outage: OutageTime | None = None


class NewSimulation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to simulate: local days, both included, at most 366.

    ``kinds`` are all by default, ``per`` is how finely the timeline is told, ``examples`` how many
    ids are told for each reason.
    """

    first_day: date = msgspec.field(name="from")
    last_day: date = msgspec.field(name="to")
    per: Per = "minute"
    kinds: Annotated[list[str], msgspec.Meta(min_length=1, max_length=20)] | None = None
    examples: Annotated[int, msgspec.Meta(ge=0, le=20)] = 3
    mails_per_s: MailsPerS | None = None
    what_if: WhatIf | None = None


class ZoneReleases:
    """Releases of the zone data beside the pinned one: folders named after them in ``folder``."""

    def __init__(self, folder: str | None) -> None:
        self._folder = None if folder is None else Path(folder)

    def names(self) -> list[str]:
        """Return what there is."""
        if self._folder is None or not self._folder.is_dir():
            return []
        return sorted(one.name for one in self._folder.iterdir() if one.is_dir())

    def find(self, release: str) -> ZoneData | None:
        """Return a release."""
        if self._folder is None or release not in self.names():
            return None
        return ZoneData(release, self._folder / release)


def mistakes(
    data: NewSimulation, kinds: Mapping[str, Kind], releases: ZoneReleases
) -> Iterator[FieldError]:
    if data.first_day > data.last_day:
        yield FieldError("/from", "wrong_order", "from lies after to")
    elif data.last_day - data.first_day >= timedelta(days=MAX_DAYS):
        yield FieldError("/to", "too_many", f"at most {MAX_DAYS} days at a time")
    if not _FIRST_YEAR <= data.first_day.year <= data.last_day.year <= _LAST_YEAR:
        yield FieldError("/from", "out_of_range", f"years are {_FIRST_YEAR} to {_LAST_YEAR}")
    for place, name in enumerate(data.kinds or []):
        if name not in kinds:
            known = f"known kinds are {', '.join(sorted(kinds))}"
            yield FieldError(f"/kinds/{place}", "unknown_kind", known)
    if data.what_if is not None:
        yield from _mistakes_in(data.what_if, kinds, releases)


def _mistakes_in(
    what_if: WhatIf, kinds: Mapping[str, Kind], releases: ZoneReleases
) -> Iterator[FieldError]:
    for name, change in what_if.kinds.items():
        if error := _mistake_in_kind(name, change, kinds.get(name)):
            yield error
    if what_if.tzdata and releases.find(what_if.tzdata) is None:
        named = ", ".join(releases.names()) or "none; PLANNER_ZONE_RELEASES names their folder"
        yield FieldError("/what_if/tzdata", "unknown_release", f"known releases: {named}")
    if what_if.outage is not None:
        yield from _mistakes_in_outage(what_if.outage)


def _mistakes_in_outage(outage: OutageTime) -> Iterator[FieldError]:
    if outage.first_at >= outage.last_at:
        yield FieldError("/what_if/outage/from", "wrong_order", "from does not lie before to")
    elif not _FIRST_YEAR <= outage.first_at.year <= outage.last_at.year <= _LAST_YEAR:
        detail = f"years are {_FIRST_YEAR} to {_LAST_YEAR}"
        yield FieldError("/what_if/outage", "out_of_range", detail)


def _mistake_in_kind(name: str, change: KindChange | None, known: Kind | None) -> FieldError | None:
    pointer = f"/what_if/kinds/{name}"
    if change is None:
        detail = "there is no such kind to remove"
        return None if known else FieldError(pointer, "unknown_kind", detail)
    if known is None:
        is_whole = change.date_field is not None and change.cadence is not None
        detail = "a new kind needs date_field and cadence"
        return None if is_whole else FieldError(pointer, "missing", detail)
    if change.date_field in {None, known.date_field}:
        return None
    detail = f"{name} reads {known.date_field}: call a kind of another date otherwise"
    return FieldError(f"{pointer}/date_field", "not_allowed", detail)


def question_of(data: NewSimulation, kinds: Mapping[str, Kind], releases: ZoneReleases) -> Question:
    chosen = {name: kinds[name] for name in data.kinds or kinds}
    as_is = Setting(kinds=chosen, mails_per_s=data.mails_per_s)
    return Question(
        first=data.first_day,
        last=data.last_day,
        per=data.per,
        examples=data.examples,
        as_is=as_is,
        what_if=None if data.what_if is None else _setting(data.what_if, as_is, kinds, releases),
    )


def _setting(
    what_if: WhatIf, as_is: Setting, kinds: Mapping[str, Kind], releases: ZoneReleases
) -> Setting:
    changed = {
        name: _changed(name, change, kinds.get(name))
        for name, change in what_if.kinds.items()
        if change is not None
    }
    stay = {name: kind for name, kind in as_is.kinds.items() if name not in what_if.kinds}
    outage = what_if.outage
    zone_data = None if what_if.tzdata is None else releases.find(what_if.tzdata)
    return Setting(
        kinds=stay | changed,
        instant_of=due_instant if zone_data is None else _instants_of(zone_data),
        leap_day=what_if.leap_day,
        mails_per_s=what_if.mails_per_s or as_is.mails_per_s,
        outage=None if outage is None else outage.outage(),
    )


def _changed(name: str, change: KindChange, known: Kind | None) -> Kind:
    kind = known or Kind(
        name=name,
        date_field=change.date_field or "birthday",
        cadence=change.cadence or "yearly",
        templates={},
    )
    limit = change.late_limit_h
    return msgspec.structs.replace(
        kind,
        wall_time=change.wall_time or kind.wall_time,
        late_limit=kind.late_limit if limit is None else timedelta(hours=limit),
        cadence=change.cadence or kind.cadence,
    )


def _instants_of(zone_data: ZoneData) -> InstantOf:
    """Return the instants of another release; where it lacks a zone, those of our own."""

    @lru_cache(maxsize=16_384)
    def instant_of(local_day: date, wall_time: time, zone: str) -> datetime:
        try:
            return zone_data.instant_at(local_day, wall_time, zone)
        except UnknownZoneError:
            return PINNED.instant_at(local_day, wall_time, zone)

    return instant_of
