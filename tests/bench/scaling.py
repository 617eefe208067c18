"""``python -m tests.bench.scaling``: what a day of mails takes, from the newest recorded run.

Prints the processor time of each role for 1, 10 and 100 million mails a day, and the cores that
send the largest zone's mails within a minute of its nine o'clock.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import crowd

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "docs" / "measurements"
MAILS_A_DAY = (1_000_000, 10_000_000, 100_000_000)
DRAINED_WITHIN_S = 60.0
_HERD = "herd-postmark"
_OURS = ("planner", "dispatcher", "postgresql", "rabbitmq")
_SAMPLE = 1_000_000


class Need(msgspec.Struct, frozen=True):
    """What one role needs for one number of mails a day."""

    core_hours_a_day: float
    cores_at_peak: float


def main() -> int:
    """Print the arithmetic."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scaling", description=__doc__)
    parser.add_argument("--measurements", type=Path, help="a file of docs/measurements")
    options = parser.parse_args()
    path = options.measurements or newest_run(RECORDED)
    for line in lines(path.name, msgspec.json.decode(path.read_bytes())):
        print(line)
    return 0


def newest_run(folder: Path) -> Path:
    """Return the newest recorded run that has a herd in it.

    Raises:
        ValueError: there is none.
    """
    runs = {path: msgspec.json.decode(path.read_bytes()) for path in folder.glob("*.json")}
    with_herd = [path for path, run in runs.items() if _find(run, _HERD) is not None]
    return max(with_herd, key=lambda path: runs[path]["at"])


def cost_by_role(run: Mapping[str, Any]) -> dict[str, float]:
    """Return the CPU milliseconds of 1,000 mails by role: released, sent, settled."""
    herd = _find(run, _HERD)
    if herd is None:
        raise ValueError("the run has no herd")
    used = herd["usage"]["cpu_s"]
    return {role: round(used.get(role, 0.0) / herd["items"] * 1e6, 1) for role in _OURS}


def need(ms_per_1000: float, mails: int, *, largest_share: float) -> Need:
    """Return what ``mails`` a day take at ``ms_per_1000``."""
    seconds = ms_per_1000 / 1e6 * mails
    return Need(seconds / 3600, seconds * largest_share / DRAINED_WITHIN_S)


def largest_share() -> float:
    """Return the share of people that the most populous zone has."""
    return max(crowd.zone_counts(_SAMPLE).values()) / _SAMPLE


def lines(name: str, run: Mapping[str, Any]) -> Iterator[str]:
    """Yield the arithmetic as a table."""
    share = largest_share()
    costs = cost_by_role(run)
    planning = _find(run, "planning")
    if planning is not None:
        costs = {"planning ahead": planning["cpu_ms_per_1000"], **costs}
    yield (
        f"{name}, commit {run['commit']}, {run['cores']} cores. Core hours a day; and cores that"
        f" send the largest zone, {share:.0%} of all, within {DRAINED_WITHIN_S:.0f} s."
    )
    yield ""
    volumes = " | ".join(f"{mails:,} a day" for mails in MAILS_A_DAY)
    yield f"| role | CPU ms per 1,000 | {volumes} |"
    yield "|---|---|" + "---|" * len(MAILS_A_DAY)
    for role, cost in (*costs.items(), ("all", sum(costs.values()))):
        needs = [need(cost, mails, largest_share=share) for mails in MAILS_A_DAY]
        # Planning is done days before, at leisure.
        cells = [_cell(one, has_peak=role not in {"planning ahead", "all"}) for one in needs]
        yield f"| {role} | {cost:,.1f} | {' | '.join(cells)} |"


def _cell(one: Need, *, has_peak: bool) -> str:
    hours = f"{one.core_hours_a_day:,.2f} h"
    return f"{hours}; {max(one.cores_at_peak, 0.1):,.1f} cores" if has_peak else hours


def _find(run: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    results: Sequence[Mapping[str, Any]] = run.get("results", ())
    return next((result for result in results if result["name"] == name), None)


if __name__ == "__main__":
    sys.exit(main())
