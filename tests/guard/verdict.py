"""Is anything dearer than what is recorded? Plain functions of two measurements."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from tests.guard.cost import Cost, Figure

ALLOWED: Final[Mapping[Figure, float]] = {
    "calls": 1.10,
    "statements": 1.10,
    "pages": 1.10,
    "rows_read": 1.10,
    "rows_written": 1.10,
    "disk_bytes": 1.25,
    "cpu": 1.25,
}
"""How many times what is recorded an item may take."""
SLACK: Final[Mapping[Figure, float]] = {
    "calls": 0.1,
    "statements": 0.0025,
    "pages": 0.1,
    "rows_read": 0.1,
    "rows_written": 0.01,
    "disk_bytes": 20.0,
    "cpu": 0.0,
}
"""How much more is nothing, however little is recorded: about one statement of a batch."""
_MUCH_CHEAPER = 0.8
CPU_MOVES: Final = frozenset({"register"})
"""Hops whose CPU is only shown: that of many small statements one after the other moves with the
load of the machine by more than any fixed work beside it tells."""


class Grounds(msgspec.Struct, frozen=True):
    """On what something was measured: figures of other grounds are not compared.

    ``python`` and ``postgresql`` are the versions within which costs do not change by themselves,
    with the server's settings that matter.
    """

    python: str
    postgresql: str
    processor: str


class Finding(msgspec.Struct, frozen=True):
    """One figure of a hop, now and as recorded."""

    hop: str
    figure: Figure
    now: float
    recorded: float

    def __str__(self) -> str:
        change = f" ({self.now / self.recorded - 1:+.0%})" if self.recorded else ""
        return f"{self.hop}: {self.figure} {self.recorded:,.4g} -> {self.now:,.4g}{change}"


def comparable(here: Grounds, recorded: Grounds) -> list[Figure]:
    """Return the figures that mean the same on both grounds."""
    is_python = here.python == recorded.python
    is_server = here.postgresql == recorded.postgresql
    figures: list[Figure] = ["statements"]
    if is_python:
        figures += ["calls"]
    if is_server:
        figures += ["pages", "rows_read", "rows_written", "disk_bytes"]
    if here == recorded:
        figures += ["cpu"]
    return figures


def dearer(
    now: Mapping[str, Cost], recorded: Mapping[str, Cost], figures: Sequence[Figure]
) -> list[Finding]:
    """Return what of ``figures`` is over what is allowed."""
    return [
        one
        for one in _both(now, recorded, figures)
        if one.now > one.recorded * ALLOWED[one.figure] + SLACK[one.figure]
    ]


def cheaper(
    now: Mapping[str, Cost], recorded: Mapping[str, Cost], figures: Sequence[Figure]
) -> list[Finding]:
    """Return what is so much cheaper that it hides how much dearer it may become again."""
    return [
        one
        for one in _both(now, recorded, figures)
        if one.now < one.recorded * _MUCH_CHEAPER - SLACK[one.figure]
    ]


def strangers(now: Mapping[str, Cost], recorded: Mapping[str, Cost]) -> list[str]:
    """Return the hops that are only measured or only recorded."""
    return sorted(now.keys() ^ recorded.keys())


def cheapest(one: Mapping[str, Cost], other: Mapping[str, Cost]) -> dict[str, Cost]:
    """Return the less of each figure where a hop was measured twice: noise only ever adds."""
    return {hop: cost.cheapest(other[hop]) if hop in other else cost for hop, cost in one.items()}


def typical(runs: Sequence[Mapping[str, Cost]]) -> dict[str, Cost]:
    """Return of each hop the run whose CPU lies in the middle: what to record."""
    return {
        hop: sorted((run[hop] for run in runs), key=lambda cost: cost.units)[len(runs) // 2]
        for hop in runs[0]
    }


def _both(
    now: Mapping[str, Cost], recorded: Mapping[str, Cost], figures: Sequence[Figure]
) -> list[Finding]:
    return [
        Finding(hop, figure, value, known)
        for hop, cost in now.items()
        for figure in figures
        if hop in recorded
        and not (figure == "cpu" and hop in CPU_MOVES)
        and (value := cost.get(figure)) is not None
        and (known := recorded[hop].get(figure)) is not None
    ]
