"""`make bench-guard`: has anything become dearer than what is recorded?

CPU per item is compared, in units of a reference loop timed beside it, so that a slower or busier
machine is not taken for slower code. What seems dearer is measured again: only what stays so fails.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from tests.bench.entries import SMALL, Measure, all_entries
from tests.bench.machine import describe_machine
from tests.bench.processor import reference_loop_s

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "docs" / "measurements" / "guard.json"
GUARDED = ("relay", "release", "planning", "smtp-ours", "herd-postmark")
ALLOWED = 1.25
_RECORDINGS = 2
_LOOPS = 3
"""Reference loops before, and as many after: a single one may meet a busy moment."""


class Cost(msgspec.Struct, frozen=True):
    """CPU of a thousand items, and of the reference loop around their measurement."""

    cpu_ms_per_1000: float
    reference_loop_s: float

    @property
    def loops_per_1000(self) -> float:
        """How many reference loops a thousand items are worth."""
        return self.cpu_ms_per_1000 / 1000 / self.reference_loop_s


def cheapest(costs: Iterable[Cost]) -> Cost:
    """Return the least of several costs of the same thing: noise only ever adds."""
    return min(costs, key=lambda cost: cost.loops_per_1000)


def ratio(measured: Cost, recorded: Cost) -> float:
    """Return how many times as dear as recorded something is."""
    return measured.loops_per_1000 / recorded.loops_per_1000


def dearer(measured: Mapping[str, Cost], recorded: Mapping[str, Cost]) -> list[str]:
    """Return what costs over 25 % more than recorded; what is not recorded cannot."""
    return [
        name
        for name, cost in measured.items()
        if name in recorded and ratio(cost, recorded[name]) > ALLOWED
    ]


def main() -> int:
    """Compare, or with ``--record`` write down what things cost now."""
    parser = argparse.ArgumentParser(prog="make bench-guard", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep what is measured from now on")
    options = parser.parse_args()
    return asyncio.run(_record() if options.record else _compare())


async def _compare() -> int:
    if not RECORDED.exists():
        print(
            f"nothing is recorded in {RECORDED.relative_to(ROOT)} to compare with:"
            " make bench-guard ARGS=--record records what things cost now"
        )
        return 1
    recorded = msgspec.convert(msgspec.json.decode(RECORDED.read_bytes())["costs"], dict[str, Cost])
    entries = all_entries(SMALL)
    measured = {name: await _cost(name, entries[name]) for name in GUARDED}
    for name in dearer(measured, recorded):
        again = await _cost(name, entries[name])
        measured[name] = cheapest((measured[name], again))
    for name in GUARDED:
        _print_cost(name, measured[name], recorded.get(name))
    failed = dearer(measured, recorded)
    if failed:
        print(f"dearer by over {ALLOWED - 1:.0%}, twice in a row: {', '.join(failed)}")
    return 1 if failed else 0


async def _record() -> int:
    entries = all_entries(SMALL)
    costs = {}
    for name in GUARDED:
        costs[name] = cheapest([await _cost(name, entries[name]) for _ in range(_RECORDINGS)])
        _print_cost(name, costs[name], None)
    document = {"at": datetime.now(UTC), **describe_machine(), "costs": costs}
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
    return 0


async def _cost(name: str, measure: Measure) -> Cost:
    print(f"{name} …", file=sys.stderr, flush=True)
    loops_s = [reference_loop_s() for _ in range(_LOOPS)]
    result = await measure()
    loops_s += [reference_loop_s() for _ in range(_LOOPS)]
    return Cost(result["cpu_ms_per_1000"], round(median(loops_s), 4))


def _print_cost(name: str, cost: Cost, recorded: Cost | None) -> None:
    beside = f"{ratio(cost, recorded):>8.2f} of recorded" if recorded else ""
    print(
        f"{name:<16}{cost.cpu_ms_per_1000:>9.1f} CPU ms per 1,000"
        f"{cost.loops_per_1000:>9.3f} loops{beside}"
    )


if __name__ == "__main__":
    sys.exit(main())
