"""Draws a day: nine o'clock going round the Earth, how late mails were, what memory was held."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from html import escape
from typing import Any

WIDTH, HEIGHT = 1200, 860
_LEFT, _RIGHT = 76, 1170
_SWEEP = (110, 400)
_LATE = (470, 640)
_MEMORY = (710, 810)
_HOURS = 28
_LABELS = 7
_INK, _FAINT, _PAPER = "#e8ecf4", "#8fa0bd", "#10182b"
_LINES = ("#ffd27d", "#7ddcff", "#b69cff", "#8ff0a4")
_LATE_TICKS = (0.1, 1.0, 10.0, 100.0)


def draw(result: Mapping[str, Any]) -> str:
    """Return the day as an SVG picture."""
    zones = result["zones"]
    first = min(zone.due_at for zone in zones).replace(minute=0) - timedelta(hours=1)
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
                ' font-family="ui-sans-serif, system-ui, sans-serif">'
            ),
            f'<rect width="{WIDTH}" height="{HEIGHT}" rx="14" fill="{_PAPER}"/>',
            *_heading(result),
            *_hours(first),
            *_sweep(result, zones, first),
            *_lateness(zones, first),
            *_memory(result["memory"]),
            "</svg>",
            "",
        ]
    )


def _heading(result: Mapping[str, Any]) -> Iterable[str]:
    yield _text(_LEFT, 46, f"Nine o'clock, {result['mails']:,} times", size=26, fill=_INK)
    yield _text(
        _LEFT,
        74,
        f"one local day from the first zone on Earth to the last, {result['rate']:g} times as fast:"
        f" {result['sweep_s']:,.0f} s, {result['busiest_second_mails']:,} mails in the busiest"
        f" second, {result['duplicates']} twice, {result['early']} early",
    )


def _hours(first: datetime) -> Iterable[str]:
    for hour in range(0, _HOURS + 1, 2):
        x = _x(first + timedelta(hours=hour), first)
        yield _line(x, _SWEEP[0], x, _LATE[1], "#24304d")
        yield _text(x, _SWEEP[1] + 22, f"{first + timedelta(hours=hour):%H:%M}", anchor="middle")
    yield _text(_RIGHT, _SWEEP[1] + 42, "UTC", anchor="end")


def _sweep(result: Mapping[str, Any], zones: Sequence[Any], first: datetime) -> Iterable[str]:
    """Bars: mails due at each instant (the height is the root of the number); line: share sent."""
    top, bottom = _SWEEP
    herds: dict[datetime, list[Any]] = defaultdict(list)
    for zone in zones:
        herds[zone.due_at].append(zone)
    sizes = {due_at: sum(zone.mails for zone in herd) for due_at, herd in herds.items()}
    most = math.sqrt(max(sizes.values()))
    yield _text(_LEFT, top - 8, "due at once (area), share sent (line)")
    for due_at, herd in sorted(herds.items()):
        height = max((bottom - top) * math.sqrt(sizes[due_at]) / most, 1.5)
        x = _x(due_at, first)
        names = ", ".join(zone.zone for zone in herd)
        yield (
            f'<rect x="{x - 5:.1f}" y="{bottom - height:.1f}" width="10" height="{height:.1f}"'
            f' rx="3" fill="{_sunrise((due_at - first) / timedelta(hours=_HOURS))}">'
            f"<title>{escape(names)}: {sizes[due_at]:,}</title></rect>"
        )
    for due_at in sorted(sizes, key=sizes.__getitem__, reverse=True)[:_LABELS]:
        height = (bottom - top) * math.sqrt(sizes[due_at]) / most
        largest = max(herds[due_at], key=lambda zone: zone.mails)
        place = largest.zone.rpartition("/")[2].replace("_", " ")
        yield _text(
            _x(due_at, first) + 9, bottom - height + 13, f"{place} {sizes[due_at]:,}", fill=_INK
        )
    look = min(zone.due_at for zone in zones).replace(hour=18, minute=45)
    points = [
        (
            _x(look + timedelta(seconds=at_s), first),
            bottom - (bottom - top) * count / result["mails"],
        )
        for at_s, count in result["sent"]
    ]
    yield _path([point for point in points if _LEFT <= point[0] <= _RIGHT], "#ffffff", width=2)


def _lateness(zones: Sequence[Any], first: datetime) -> Iterable[str]:
    """One stroke a zone, from the median to the 99th percentile, on a logarithmic scale."""
    top, bottom = _LATE
    lowest, highest = math.log10(0.02), math.log10(200)

    def y(seconds: float) -> float:
        share = (math.log10(max(seconds, 0.02)) - lowest) / (highest - lowest)
        return bottom - (bottom - top) * min(max(share, 0.0), 1.0)

    yield _text(_LEFT, top - 8, "late by, in real seconds: median (dot) to 99th percentile")
    for tick in _LATE_TICKS:
        yield _line(_LEFT, y(tick), _RIGHT, y(tick), "#24304d")
        yield _text(_LEFT - 8, y(tick) + 4, f"{tick:g} s", anchor="end")
    for zone in zones:
        x = _x(zone.due_at, first)
        color = _sunrise((zone.due_at - first) / timedelta(hours=_HOURS))
        yield _line(x, y(zone.p50_s), x, y(zone.p99_s), color, width=3)
        yield f'<circle cx="{x:.1f}" cy="{y(zone.p50_s):.1f}" r="3.5" fill="{_INK}"/>'


def _memory(series: Mapping[str, Sequence[tuple[float, float]]]) -> Iterable[str]:
    top, bottom = _MEMORY
    last_s = max((values[-1][0] for values in series.values() if values), default=1.0) or 1.0
    most = max([value for values in series.values() for _, value in values] + [120.0])
    yield _text(_LEFT, top - 8, "resident memory through the sweep, MiB")
    for tick in (0.0, 60.0, 120.0):
        y = bottom - (bottom - top) * tick / most
        yield _line(_LEFT, y, _RIGHT, y, "#24304d")
        yield _text(_LEFT - 8, y + 4, f"{tick:g}", anchor="end")
    for number, (name, values) in enumerate(sorted(series.items())):
        color = _LINES[number % len(_LINES)]
        points = [
            (
                _LEFT + (_RIGHT - _LEFT) * passed_s / last_s,
                bottom - (bottom - top) * value / most,
            )
            for passed_s, value in values
        ]
        yield _path(points, color, width=2)
        label = name.partition(" ")[0].removeprefix("services.")
        yield _text(_LEFT + 170 * number, bottom + 24, f"— {label}", fill=color)


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


def _text(x: float, y: float, text: str, *, size: int = 13, **style: str) -> str:
    anchor = style.get("anchor", "start")
    fill = style.get("fill", _FAINT)
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"'
        f' text-anchor="{anchor}">{escape(text)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, color: str, *, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"'
        f' stroke-width="{width}" stroke-linecap="round"/>'
    )


def _path(points: Sequence[tuple[float, float]], color: str, *, width: float) -> str:
    steps = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<path d="M{steps}" fill="none" stroke="{color}" stroke-width="{width}"/>' if steps else ""
    )
