"""Prints what a run has to say: the targets first, then everything measured."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tests.bench.targets import Judged, judge_all

_HEAD = (
    f"{'target':<29}{'measured':>10} {'':<25}{'wanted':>10}{'beyond':>9}"
    f"{'of limit':>10}{'CPU ms/1,000':>14}  "
)


def lines(results: Sequence[Mapping[str, Any]], *, is_whole: bool) -> Iterator[str]:
    """Yield the lines of both tables; a part of a run leaves out the targets it did not touch."""
    judged = [
        one
        for one in judge_all({result["name"]: result for result in results})
        if is_whole or one.measured is not None
    ]
    if judged:
        yield _HEAD
        yield from map(_target_line, judged)
        yield ""
    yield f"{'measured':<42}{'items':>9}{'per second':>12}{'CPU ms per 1,000':>18}"
    yield from map(_result_line, results)


def _target_line(judged: Judged) -> str:
    target = judged.target
    side = "≥" if target.at_least is not None else "≤"
    return (
        f"{target.stage:<29}{_number(judged.measured):>10} {target.unit:<25}"
        f"{side + ' ' + _number(target.limit):>10}{_number(target.beyond):>9}"
        f"{_number(judged.of_limit):>10}{_number(judged.cpu_ms_per_1000):>14}  {judged.verdict}"
    )


def _result_line(result: Mapping[str, Any]) -> str:
    return (
        f"{result['what']:<42}{result['items']:>9,}"
        f"{result['per_s']:>12,}{result.get('cpu_ms_per_1000', 0.0):>18,.1f}"
    )


def _number(value: float | None) -> str:
    """Return a number with as many digits as mean something."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.2f}".rstrip("0").rstrip(".") if value < 10 else f"{value:.1f}"
