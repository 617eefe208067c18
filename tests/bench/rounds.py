"""The round of a benchmark that stands for all its rounds."""

from collections.abc import Mapping, Sequence
from typing import Any

_TOLD = ("per_s", "cpu_ms_per_1000", "reference_loop_s")


def median_round(rounds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the round in the middle by its CPU per item, by its rate where no CPU was counted.

    Of an even number it is the dearer, or slower, of the two in the middle. What the others came
    to is told under ``rounds``, in the order in which they were made.
    """
    if len(rounds) == 1:
        return dict(rounds[0])
    by_cost = sorted(rounds, key=_cost)
    told = [{key: one[key] for key in _TOLD if key in one} for one in rounds]
    return {**by_cost[len(rounds) // 2], "rounds": told}


def _cost(one: Mapping[str, Any]) -> float:
    cost = one.get("cpu_ms_per_1000")
    return float(cost) if cost is not None else -float(one["per_s"])
