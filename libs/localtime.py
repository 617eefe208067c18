"""Wall time where a person is -> instant, by the pinned zone data and nothing else.

Rules: a wall time inside a gap moves forward by the gap; a repeated one means the first; a local
day that does not exist moves to the next that does.
"""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import cache, cached_property
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from zoneinfo import ZoneInfo

# Zone data of the operating system differ between machines; only the pinned package counts.
zoneinfo.reset_tzpath(to=())

_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})
_ABBREVIATIONS = frozenset(
    {"CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET"}
)
_MAGIC = b"TZif"
_RULES = "tzdata.zi"
_LINK = "L "
_ONE_DAY = timedelta(days=1)


class UnknownZoneError(ValueError):
    """No IANA zone bears the name."""

    def __init__(self, name: str) -> None:
        super().__init__("not an IANA time zone name, such as Europe/Berlin")
        self.name = name


class ZoneData:
    """One release of the zone data: how the clocks of every place go.

    ``folder`` holds compiled zones (TZif) and may hold their source, ``tzdata.zi``. Nothing is
    read before it is needed.
    """

    def __init__(self, release: str, folder: Traversable) -> None:
        self.release = release
        self._folder = folder
        self._places: dict[str, ZoneInfo] = {}

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Every accepted zone name, aliases included, in alphabetical order."""
        found = set(_compiled(self._folder))
        return tuple(sorted(found - _NOT_PLACES - _ABBREVIATIONS))

    def place(self, zone: str) -> ZoneInfo:
        """Return the clocks of ``zone``, read once.

        Raises:
            UnknownZoneError: this release has no such zone.
        """
        place = self._places.get(zone)
        return self._read(zone) if place is None else place

    def instant_at(self, local_day: date, wall_time: time, zone: str) -> datetime:
        """Return the instant, in UTC, at which clocks in ``zone`` show ``wall_time``.

        In a gap it is moved forward by the gap's length, of two it is the first; on a local day
        that does not exist it is ``wall_time`` on the next one that does.

        Raises:
            UnknownZoneError: this release has no such zone.
        """
        place = self.place(zone)
        # In a gap, fold=0 reads the time with the offset from before it: later by the gap.
        wanted = datetime.combine(local_day, wall_time.replace(fold=0))
        first = wanted.replace(tzinfo=place)
        instant = first.astimezone(UTC)
        shown = instant.astimezone(place).replace(tzinfo=None)
        if shown < wanted:
            # zoneinfo takes the rule for all time to come as in force an hour before its first
            # change (America/Nuuk, 28 October 2023, 23:30): the other reading is the true one.
            return first.replace(fold=1).astimezone(UTC)
        if shown.date() == local_day or _exists(local_day, place):
            return instant
        return self.instant_at(local_day + _ONE_DAY, wall_time, zone)

    def aliased_zone(self, zone: str) -> str:
        """Return the zone that ``zone`` is another name of, ``zone`` itself where it is none."""
        return self._links.get(zone, zone)

    @cached_property
    def _known(self) -> frozenset[str]:
        return frozenset(self.names)

    @cached_property
    def _links(self) -> dict[str, str]:
        rules = self._folder.joinpath(_RULES)
        lines = rules.read_text(encoding="utf-8").splitlines() if rules.is_file() else []
        links = (line.split() for line in lines if line.startswith(_LINK))
        return {alias: zone for _, zone, alias in links}

    def _read(self, zone: str) -> ZoneInfo:
        if zone not in self._known:
            raise UnknownZoneError(zone)
        with self._folder.joinpath(zone).open("rb") as file:
            return self._places.setdefault(zone, ZoneInfo.from_file(file, key=zone))


PINNED = ZoneData(metadata.version("tzdata"), resources.files("tzdata").joinpath("zoneinfo"))
"""The zone data of the pinned package, by which everything is computed."""

TZDATA_VERSION = PINNED.release
"""Release of the zone data in use, recorded on every plan row."""


def zone_names() -> tuple[str, ...]:
    """Return every accepted zone name, aliases included, in alphabetical order."""
    return PINNED.names


@cache
def _canonical_spellings() -> dict[str, str]:
    return {name.lower(): name for name in zone_names()}


def canonical_zone(name: str) -> str:
    """Return ``name`` as the zone data spell it, whatever its case.

    An alias (``US/Eastern``, ``Europe/Kiev``) is kept. Abbreviations and offsets (``EST5``,
    ``+05:30``) are no places and are refused.

    Raises:
        UnknownZoneError: no zone bears the name.
    """
    spelling = _canonical_spellings().get(name.lower()) if name.isascii() else None
    if spelling is None:
        raise UnknownZoneError(name)
    return spelling


def aliased_zone(zone: str) -> str:
    """Return the zone that ``zone`` is another name of, such as America/New_York for US/Eastern.

    A zone that is no alias is returned as it is.
    """
    return PINNED.aliased_zone(zone)


def instant_at(local_day: date, wall_time: time, zone: str) -> datetime:
    """Return the instant, in UTC, at which clocks in ``zone`` show ``wall_time`` on ``local_day``.

    In a gap it is moved forward by the gap's length, of two it is the first; on a local day that
    does not exist it is ``wall_time`` on the next one that does.

    Raises:
        UnknownZoneError: no zone bears the name.
    """
    return PINNED.instant_at(local_day, wall_time, zone)


def local_day_at(instant: datetime, zone: str) -> date:
    """Return the date that calendars in ``zone`` show at ``instant``."""
    return instant.astimezone(PINNED.place(zone)).date()


def local_time_at(instant: datetime, zone: str) -> datetime:
    """Return ``instant`` as clocks in ``zone`` show it, offset included."""
    return instant.astimezone(PINNED.place(zone))


def is_leap(year: int) -> bool:
    """Tell whether ``year`` has a 29 February (Gregorian rule)."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _exists(day: date, place: ZoneInfo) -> bool:
    """Tell whether any moment of ``day`` happens in ``place``."""
    noon = datetime.combine(day, time(12), place).astimezone(UTC).astimezone(place)
    return noon.date() == day


def _compiled(folder: Traversable, prefix: str = "") -> Iterator[str]:
    """Yield the names of the compiled zones in ``folder`` and below."""
    for entry in folder.iterdir():
        name = f"{prefix}{entry.name}"
        if entry.is_dir():
            yield from _compiled(entry, f"{name}/")
        elif _is_compiled(entry):
            yield name


def _is_compiled(entry: Traversable) -> bool:
    with entry.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC
