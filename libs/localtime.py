"""Wall time where a person is -> instant, by the pinned zone data and nothing else.

Rules: a wall time inside a gap moves forward by the gap; a repeated one means the first; a local
day that does not exist moves to the next that does.
"""

import zoneinfo
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from importlib import metadata, resources
from zoneinfo import ZoneInfo

# Zone data of the operating system differ between machines; only the pinned package counts.
zoneinfo.reset_tzpath(to=())

TZDATA_VERSION = metadata.version("tzdata")
"""Release of the zone data in use, recorded on every plan row."""

_NOT_PLACES = frozenset({"Factory", "localtime", "posixrules"})
_ABBREVIATIONS = frozenset(
    {"CET", "CST6CDT", "EET", "EST", "EST5EDT", "HST", "MET", "MST", "MST7MDT", "PST8PDT", "WET"}
)
# A skipped day is one calendar day long (Pacific/Apia 2011, Kwajalein 1993).
_LONGEST_SKIP_DAYS = 2


class UnknownZoneError(ValueError):
    """No IANA zone bears the name."""

    def __init__(self, name: str) -> None:
        super().__init__("not an IANA time zone name, such as Europe/Berlin")
        self.name = name


@cache
def zone_names() -> tuple[str, ...]:
    """Return every accepted zone name, aliases included, in alphabetical order."""
    listed = resources.files("tzdata").joinpath("zones").read_text(encoding="utf-8").split()
    return tuple(sorted(set(listed) - _NOT_PLACES - _ABBREVIATIONS))


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


def instant_at(local_day: date, wall_time: time, zone: str) -> datetime:
    """Return the instant, in UTC, at which clocks in ``zone`` show ``wall_time`` on ``local_day``.

    In a gap it is moved forward by the gap's length, of two it is the first; on a local day that
    does not exist it is ``wall_time`` on the next one that does.
    """
    place = ZoneInfo(zone)
    for skipped_days in range(_LONGEST_SKIP_DAYS + 1):
        day = local_day + timedelta(days=skipped_days)
        # In a gap, fold=0 reads the wall time with the offset from before it: later by the gap.
        instant = datetime.combine(day, wall_time, place).replace(fold=0).astimezone(UTC)
        if instant.astimezone(place).date() == day or _exists(day, place):
            return instant
    raise UnknownZoneError(zone)


def _exists(day: date, place: ZoneInfo) -> bool:
    """Tell whether any moment of ``day`` happens in ``place``."""
    noon = datetime.combine(day, time(12), place).astimezone(UTC).astimezone(place)
    return noon.date() == day


def local_day_at(instant: datetime, zone: str) -> date:
    """Return the date that calendars in ``zone`` show at ``instant``."""
    return instant.astimezone(ZoneInfo(zone)).date()


def local_time_at(instant: datetime, zone: str) -> datetime:
    """Return ``instant`` as clocks in ``zone`` show it, offset included."""
    return instant.astimezone(ZoneInfo(zone))


def is_leap(year: int) -> bool:
    """Tell whether ``year`` has a 29 February (Gregorian rule)."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
