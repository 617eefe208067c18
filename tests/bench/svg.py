"""The few strokes our charts are drawn with, as SVG."""

from collections.abc import Iterable
from html import escape
from typing import Final

INK: Final = "#e8ecf4"
FAINT: Final = "#8fa0bd"
GRID: Final = "#24304d"
PAPER: Final = "#10182b"
SERIES: Final = ("#ffd27d", "#7ddcff", "#b69cff", "#8ff0a4")


def picture(width: int, height: int, strokes: Iterable[str]) -> str:
    """Return a whole SVG file of ``strokes`` on dark paper."""
    return "\n".join(
        [
            (
                f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
                ' font-family="ui-sans-serif, system-ui, sans-serif">'
            ),
            f'<rect width="{width}" height="{height}" rx="14" fill="{PAPER}"/>',
            *strokes,
            "</svg>",
            "",
        ]
    )


def text(
    x: float, y: float, words: str, *, size: int = 13, fill: str = FAINT, anchor: str = "start"
) -> str:
    """Return a line of words."""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" fill="{fill}"'
        f' text-anchor="{anchor}">{escape(words)}</text>'
    )


def line(x1: float, y1: float, x2: float, y2: float, color: str, *, width: float = 1) -> str:
    """Return a straight stroke."""
    return (
        f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{color}"'
        f' stroke-width="{width}" stroke-linecap="round"/>'
    )


def path(points: list[tuple[float, float]], color: str, *, width: float) -> str:
    """Return a stroke through all ``points``, nothing where there are none."""
    steps = " L".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return (
        f'<path d="M{steps}" fill="none" stroke="{color}" stroke-width="{width}"/>' if steps else ""
    )


def box(
    x: float, y: float, width: float, height: float, fill: str, *, title: str, radius: float = 3
) -> str:
    """Return a filled box that tells its ``title`` under the pointer."""
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
        f' rx="{radius:g}" fill="{fill}"><title>{escape(title)}</title></rect>'
    )
