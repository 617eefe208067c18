"""An independent reading of the zone data: what clocks show, second by second, without zoneinfo.

A zone is a list of stretches of time with one offset each. They are read from the compiled file
(RFC 9636) and, after its last change, made from the rule in its last line (POSIX TZ).
"""

import re
import struct
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

DAY_S = 86_400
EPOCH = date(1970, 1, 1)
_HEADER = struct.Struct(">4s1s15x6l")
_FOREVER = 1 << 60


class Stretch(NamedTuple):
    """From ``start`` to before ``end``, in seconds of UTC, clocks are ``offset`` seconds ahead."""

    start: int
    end: int
    offset: int


def stretches(content: bytes, *, last_year: int) -> list[Stretch]:
    """Return the stretches of a compiled zone in order, without end; exact up to ``last_year``."""
    first_offset, changes, rule = _read(content)
    changes += _changes_by_rule(rule, after=changes[-1] if changes else None, last_year=last_year)
    starts = [-_FOREVER, *(at for at, _ in changes)]
    offsets = [first_offset, *(offset for _, offset in changes)]
    ends = [*starts[1:], _FOREVER]
    return [Stretch(*one) for one in zip(starts, ends, offsets, strict=True)]


def first_showing(zone: Sequence[Stretch], days: Sequence[int], wall_s: int) -> dict[int, int]:
    """Return, per day since 1970, the first second of UTC at which clocks show ``wall_s``.

    ``days`` are in ascending order. Where no clock shows it, it is read with the offset from
    before the gap; where no clock shows any time of that day, it is that of the next day that has
    one.
    """
    found: dict[int, int] = {}
    for start, end, offset in zone:
        first = -((wall_s - start - offset) // DAY_S)
        last = -((wall_s - end - offset) // DAY_S)
        for day in days[bisect_left(days, first) : bisect_left(days, last)]:
            found.setdefault(day, day * DAY_S + wall_s - offset)
    for day in reversed(days):
        if day not in found:
            found[day] = _shown_later(zone, day, wall_s)
    return found


def instants(seconds: Sequence[int]) -> list[datetime]:
    """Return seconds since 1970 as instants."""
    start = datetime(1970, 1, 1, tzinfo=UTC)
    return [start + timedelta(seconds=one) for one in seconds]


def day_number(day: date) -> int:
    """Return how many days after 1 January 1970 ``day`` is."""
    return (day - EPOCH).days


def _shown_later(zone: Sequence[Stretch], day: int, wall_s: int) -> int:
    if not any(
        start + offset < (day + 1) * DAY_S and end + offset > day * DAY_S
        for start, end, offset in zone
    ):
        return first_showing(zone, [day + 1], wall_s)[day + 1]
    wall = day * DAY_S + wall_s
    return next(
        wall - before.offset
        for before, after in pairwise(zone)
        if before.end + before.offset <= wall < after.start + after.offset
    )


def _read(content: bytes) -> tuple[int, list[tuple[int, int]], str]:
    """Return the first offset, each later one with its second, and the rule for ever after."""
    _, _, *counts = _HEADER.unpack_from(content)
    isut, isstd, leaps, times, types, letters = counts
    second = _HEADER.size + times * 5 + types * 6 + letters + leaps * 8 + isstd + isut
    _, _, isut, isstd, leaps, times, types, letters = _HEADER.unpack_from(content, second)
    at = second + _HEADER.size
    moments = struct.unpack_from(f">{times}q", content, at)
    kinds = struct.unpack_from(f">{times}B", content, at + times * 8)
    table = at + times * 9
    offsets = [struct.unpack_from(">l", content, table + 6 * kind)[0] for kind in range(types)]
    footer = table + types * 6 + letters + leaps * 12 + isstd + isut
    rule = content[footer:].decode().strip()
    return offsets[0], [(m, offsets[k]) for m, k in zip(moments, kinds, strict=True)], rule


_RULE = re.compile(
    r"(?:[A-Za-z]+|<[^>]+>)(?P<standard>[-+\d:]+)"
    r"(?:(?:[A-Za-z]+|<[^>]+>)(?P<summer>[-+\d:]*),(?P<begin>[^,]+),(?P<finish>[^,]+))?"
)


def _changes_by_rule(
    rule: str, *, after: tuple[int, int] | None, last_year: int
) -> list[tuple[int, int]]:
    match = _RULE.fullmatch(rule)
    if match is None:
        raise ValueError(rule)
    standard = -_seconds(match["standard"])
    if match["begin"] is None:
        return []
    summer = -_seconds(match["summer"]) if match["summer"] else standard + 3600
    last = after[0] if after else -_FOREVER
    found = [
        change
        for year in range(1970, last_year + 2)
        for change in (
            (_moment(match["begin"], year) - standard, summer),
            (_moment(match["finish"], year) - summer, standard),
        )
    ]
    return sorted(change for change in found if change[0] > last)


def _moment(text: str, year: int) -> int:
    """Return the local second of ``M3.5.0/2``, ``J60/2`` or ``59/2`` in ``year``."""
    day_text, _, time_text = text.partition("/")
    wall_s = _seconds(time_text) if time_text else 2 * 3600
    return day_number(_day(day_text, year)) * DAY_S + wall_s


def _day(text: str, year: int) -> date:
    if text.startswith("M"):
        month, week, weekday = (int(part) for part in text[1:].split("."))
        return list(_weekdays(year, month, weekday))[:week][-1]
    if text.startswith("J"):  # 29 February is never counted
        return (EPOCH + timedelta(days=int(text[1:]) - 1)).replace(year=year)
    return date(year, 1, 1) + timedelta(days=int(text))


def _weekdays(year: int, month: int, weekday: int) -> Iterator[date]:
    day = date(year, month, 1)
    while day.month == month:
        if day.isoweekday() % 7 == weekday:
            yield day
        day += timedelta(days=1)


def _seconds(text: str) -> int:
    sign = -1 if text.startswith("-") else 1
    hours, minutes, seconds = [*map(int, text.lstrip("+-").split(":")), 0, 0][:3]
    return sign * (hours * 3600 + minutes * 60 + seconds)
