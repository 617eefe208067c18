"""Draws what a mail costs by role, as days grow larger and history longer."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from tests.bench import svg
from tests.bench.svg import GRID, INK, SERIES

WIDTH, HEIGHT = 1200, 460
_TOP, _BOTTOM = 120, 380
_PANELS: Final = ((76, 570), (676, 1170))
_ROLES: Final = ("postgresql", "dispatcher", "planner", "rabbitmq")
_BAR: Final = 62


def draw(document: Mapping[str, Any]) -> str:
    """Return both curves side by side as an SVG picture."""
    by_mails, by_history = _plain(document["by_mails"]), _plain(document["by_history"])
    costs = [point["cpu_ms_per_1000"] for point in (*by_mails, *by_history)]
    scale = (_BOTTOM - _TOP) / (max(costs, default=1.0) * 1.12)
    strokes = (
        svg.text(_PANELS[0][0], 46, "What a mail costs", size=26, fill=INK),
        svg.text(
            _PANELS[0][0], 74, "CPU milliseconds of 1,000 mails, all processes and both servers"
        ),
        *_legend(),
        *_panel(_PANELS[0], "mails due at the same moment", by_mails, "mails", scale),
        *_panel(_PANELS[1], "rows of earlier mails on disk", by_history, "history_rows", scale),
    )
    return svg.picture(WIDTH, HEIGHT, strokes)


def _plain(points: Sequence[Any]) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(point) for point in points]


def _legend() -> Iterable[str]:
    for number, role in enumerate(_ROLES):
        x = _PANELS[1][0] + 125 * number
        yield svg.box(x, 64, 10, 10, SERIES[number], title=role)
        yield svg.text(
            x + 16, 74, {"postgresql": "PostgreSQL", "rabbitmq": "RabbitMQ"}.get(role, role)
        )


def _panel(
    sides: tuple[int, int],
    words: str,
    points: Sequence[Mapping[str, Any]],
    key: str,
    scale: float,
) -> Iterable[str]:
    """Bars stacked by role, one per point, the whole above each."""
    left, right = sides
    yield svg.line(left, _BOTTOM, right, _BOTTOM, GRID)
    step = (right - left) / max(len(points), 1)
    for number, point in enumerate(points):
        middle = left + step * (number + 0.5)
        height = 0.0
        for color, role in zip(SERIES, _ROLES, strict=True):
            cost = point["usage"]["cpu_s"].get(role, 0.0) / point["items"] * 1e6
            height += cost * scale
            y = _BOTTOM - height
            title = f"{role}: {cost:,.0f} ms"
            yield svg.box(middle - _BAR / 2, y, _BAR, cost * scale, color, title=title, radius=0)
        total = f"{point['cpu_ms_per_1000']:,.0f} ms"
        yield svg.text(middle, _BOTTOM - height - 10, total, fill=INK, anchor="middle")
        yield svg.text(middle, _BOTTOM + 22, _short(point[key]), anchor="middle")
    yield svg.text((left + right) / 2, _BOTTOM + 48, words, anchor="middle")


def _short(number: int) -> str:
    """Return 25,000,000 as 25 M."""
    for size, unit in ((1_000_000, "M"), (1_000, "k")):
        if number >= size:
            return f"{number / size:g} {unit}"
    return str(number)
