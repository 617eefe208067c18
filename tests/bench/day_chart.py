"""Draws a day: nine o'clock going round the Earth, how late mails were, what memory was held."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from tests.bench import svg
from tests.bench.svg import GRID, INK, SERIES

WIDTH, HEIGHT = 1200, 860
_LEFT, _RIGHT = 76, 1170
_SWEEP = (110, 400)
_LATE = (470, 640)
_MEMORY = (710, 810)
_HOURS = 28
_LABELS = 7
_LATE_TICKS = (0.1, 1.0, 10.0, 100.0)


def draw(result: Mapping[str, Any]) -> str:
    """Return the day as an SVG picture."""
    zones = result["zones"]
    first = min(zone.due_at for zone in zones).replace(minute=0) - timedelta(hours=1)
    strokes = (
        *_heading(result),
        *_hours(first),
        *_sweep(result, zones, first),
        *_lateness(zones, first),
        *_memory(result["memory"]),
    )
    return svg.picture(WIDTH, HEIGHT, strokes)


def _heading(result: Mapping[str, Any]) -> Iterable[str]:
    yield svg.text(_LEFT, 46, f"Nine o'clock, {result['mails']:,} times", size=26, fill=INK)
    yield svg.text(
        _LEFT,
        74,
        f"one local day from the first zone on Earth to the last, {result['rate']:g} times as fast:"
        f" {result['sweep_s']:,.0f} s, {result['busiest_second_mails']:,} mails in the busiest"
        f" second, {result['duplicates']} twice, {result['early']} early",
    )


def _hours(first: datetime) -> Iterable[str]:
    for hour in range(0, _HOURS + 1, 2):
        x = _x(first + timedelta(hours=hour), first)
        yield svg.line(x, _SWEEP[0], x, _LATE[1], GRID)
        yield svg.text(x, _SWEEP[1] + 22, f"{first + timedelta(hours=hour):%H:%M}", anchor="middle")
    yield svg.text(_RIGHT, _SWEEP[1] + 42, "UTC", anchor="end")


def _sweep(result: Mapping[str, Any], zones: Sequence[Any], first: datetime) -> Iterable[str]:
    """Bars: mails due at each instant (the height is the root of the number); line: share sent."""
    top, bottom = _SWEEP
    herds: dict[datetime, list[Any]] = defaultdict(list)
    for zone in zones:
        herds[zone.due_at].append(zone)
    sizes = {due_at: sum(zone.mails for zone in herd) for due_at, herd in herds.items()}
    most = math.sqrt(max(sizes.values()))
    yield svg.text(_LEFT, top - 8, "due at once (area), share sent (line)")
    for due_at, herd in sorted(herds.items()):
        height = max((bottom - top) * math.sqrt(sizes[due_at]) / most, 1.5)
        x = _x(due_at, first)
        names = ", ".join(zone.zone for zone in herd)
        color = _sunrise((due_at - first) / timedelta(hours=_HOURS))
        title = f"{names}: {sizes[due_at]:,}"
        yield svg.box(x - 5, bottom - height, 10, height, color, title=title)
    for due_at in sorted(sizes, key=sizes.__getitem__, reverse=True)[:_LABELS]:
        height = (bottom - top) * math.sqrt(sizes[due_at]) / most
        largest = max(herds[due_at], key=lambda zone: zone.mails)
        place = largest.zone.rpartition("/")[2].replace("_", " ")
        yield svg.text(
            _x(due_at, first) + 9, bottom - height + 13, f"{place} {sizes[due_at]:,}", fill=INK
        )
    look = min(zone.due_at for zone in zones).replace(hour=18, minute=45)
    points = [
        (
            _x(look + timedelta(seconds=at_s), first),
            bottom - (bottom - top) * count / result["mails"],
        )
        for at_s, count in result["sent"]
    ]
    yield svg.path([point for point in points if _LEFT <= point[0] <= _RIGHT], "#ffffff", width=2)


def _lateness(zones: Sequence[Any], first: datetime) -> Iterable[str]:
    """One stroke a zone, from the median to the 99th percentile, on a logarithmic scale."""
    top, bottom = _LATE
    lowest, highest = math.log10(0.02), math.log10(200)

    def y(seconds: float) -> float:
        share = (math.log10(max(seconds, 0.02)) - lowest) / (highest - lowest)
        return bottom - (bottom - top) * min(max(share, 0.0), 1.0)

    yield svg.text(_LEFT, top - 8, "late by, in real seconds: median (dot) to 99th percentile")
    for tick in _LATE_TICKS:
        yield svg.line(_LEFT, y(tick), _RIGHT, y(tick), GRID)
        yield svg.text(_LEFT - 8, y(tick) + 4, f"{tick:g} s", anchor="end")
    for zone in zones:
        x = _x(zone.due_at, first)
        color = _sunrise((zone.due_at - first) / timedelta(hours=_HOURS))
        yield svg.line(x, y(zone.p50_s), x, y(zone.p99_s), color, width=3)
        yield f'<circle cx="{x:.1f}" cy="{y(zone.p50_s):.1f}" r="3.5" fill="{INK}"/>'


def _memory(series: Mapping[str, Sequence[tuple[float, float]]]) -> Iterable[str]:
    top, bottom = _MEMORY
    last_s = max((values[-1][0] for values in series.values() if values), default=1.0) or 1.0
    most = max([value for values in series.values() for _, value in values] + [120.0])
    yield svg.text(_LEFT, top - 8, "resident memory through the sweep, MiB")
    for tick in (0.0, 60.0, 120.0):
        y = bottom - (bottom - top) * tick / most
        yield svg.line(_LEFT, y, _RIGHT, y, GRID)
        yield svg.text(_LEFT - 8, y + 4, f"{tick:g}", anchor="end")
    for number, (name, values) in enumerate(sorted(series.items())):
        color = SERIES[number % len(SERIES)]
        points = [
            (
                _LEFT + (_RIGHT - _LEFT) * passed_s / last_s,
                bottom - (bottom - top) * value / most,
            )
            for passed_s, value in values
        ]
        yield svg.path(points, color, width=2)
        label = name.partition(" ")[0].removeprefix("services.")
        yield svg.text(_LEFT + 170 * number, bottom + 24, f"— {label}", fill=color)


def _x(at: datetime, first: datetime) -> float:
    return _LEFT + (_RIGHT - _LEFT) * ((at - first) / timedelta(hours=_HOURS))


def _sunrise(share: float) -> str:
    """Return a colour between night blue, rose and noon yellow."""
    stops = ((90, 110, 220), (230, 110, 150), (255, 205, 110))
    position = min(max(share, 0.0), 1.0) * (len(stops) - 1)
    index = min(int(position), len(stops) - 2)
    part = position - index
    channels = zip(stops[index], stops[index + 1], strict=True)
    red, green, blue = (round(one + (other - one) * part) for one, other in channels)
    return f"rgb({red},{green},{blue})"
