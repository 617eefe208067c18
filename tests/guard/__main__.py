"""`make bench-guard`: has any hop become dearer than what is recorded?

What seems dearer is measured once more, and only what is dearer in both runs fails. Figures are
compared where they mean the same: counts of Python calls under one Python, what the server counts
under one PostgreSQL, CPU beside both on one kind of processor.
"""

import argparse
import gc
import os
import sys
from collections.abc import Mapping, Sequence

import uvloop

from tests.guard.cost import Cost, Figure
from tests.guard.measuring import HOPS, measure, profile, service_of
from tests.guard.record import RECORDED, ROOT, Record, describe_here, keep, load
from tests.guard.verdict import cheaper, cheapest, comparable, dearer, strangers, typical
from tests.support.databases import drop_templates

_RECORDINGS = 3
_RECORD = "make bench-guard ARGS=--record"
_FIGURES: tuple[Figure, ...] = (
    "calls", "statements", "pages", "rows_read", "rows_written", "disk_bytes", "cpu",
)  # fmt: skip
_COLLECTIONS = (10_000, 3, 3)
"""As in every process of ours."""


def main() -> int:
    """Compare, or with ``--record`` write down what things cost now."""
    parser = argparse.ArgumentParser(prog="make bench-guard", description=__doc__)
    parser.add_argument("--record", action="store_true", help="keep what is measured from now on")
    hops = [hop for several in HOPS.values() for hop in several]
    parser.add_argument("--profile", choices=hops, help="print where one hop spends its calls")
    parser.add_argument("--spread", type=int, metavar="RUNS", help="print how much CPU moves")
    options = parser.parse_args()
    gc.set_threshold(*_COLLECTIONS)
    return uvloop.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    try:
        if options.profile:
            await profile(options.profile)
        elif options.spread:
            _print_spread([await measure() for _ in range(options.spread)])
        elif options.record:
            await _record()
        else:
            return await _compare()
    finally:
        await drop_templates(os.environ["JUBILEE_TEST_DATABASE_URL"])
    return 0


async def _record() -> None:
    costs = typical([await measure() for _ in range(_RECORDINGS)])
    keep(costs, await describe_here())
    _print_costs(costs, {}, [])


async def _compare() -> int:
    record = load()
    if record is None:
        print(f"nothing is recorded in {RECORDED.relative_to(ROOT)} to compare with: {_RECORD}")
        return 1
    here, _ = await describe_here()
    figures = comparable(here, record.grounds)
    costs = await measure()
    if suspects := dearer(costs, record.costs, figures):
        for one in suspects:
            print(f"measured again: {one}")
        costs = cheapest(costs, await measure({service_of(one.hop) for one in suspects}))
    _print_costs(costs, record.costs, figures)
    if missing := [name for name in _FIGURES if name not in figures]:
        print(f"not compared: {', '.join(missing)}: recorded on {record.grounds}, here is {here}")
    if "cpu" in figures and any(cost.get("cpu") is None for cost in costs.values()):
        print("not compared: cpu: the server's process is not to be seen from here")
    return tell(costs, record, figures)


def tell(costs: Mapping[str, Cost], record: Record, figures: Sequence[Figure]) -> int:
    """Print what is wrong and what can be done; return the exit status."""
    for one in cheaper(costs, record.costs, figures):
        print(f"cheaper, worth a new record ({_RECORD}): {one}")
    findings = dearer(costs, record.costs, figures)
    strange = strangers(costs, record.costs)
    for hop in strange:
        print(f"not both measured and recorded: {hop}")
    for one in findings:
        print(f"dearer, twice in a row: {one}")
    for hop in sorted({one.hop for one in findings}):
        print(f'where {hop} spends it: make bench-guard ARGS="--profile {hop}"')
    if findings or strange:
        print(f"if that is wanted: {_RECORD}, and commit {RECORDED.relative_to(ROOT)}")
    return 1 if findings or strange else 0


def _print_costs(
    costs: Mapping[str, Cost], recorded: Mapping[str, Cost], figures: Sequence[Figure]
) -> None:
    print(f"{'of an item':<12}" + "".join(f"{name:>20}" for name in _FIGURES))
    for hop, cost in costs.items():
        cells = (_cell(cost, recorded.get(hop), name, name in figures) for name in _FIGURES)
        print(f"{hop:<12}" + "".join(f"{cell:>20}" for cell in cells))


def _print_spread(runs: Sequence[Mapping[str, Cost]]) -> None:
    """Print the least and the most of each figure, as parts of the run in the middle."""
    print(f"{len(runs)} runs: least and most beside the middle one")
    middle = typical(runs)
    for hop, cost in middle.items():
        cells = []
        for figure in _FIGURES:
            values = [value for run in runs if (value := run[hop].get(figure)) is not None]
            known = cost.get(figure)
            both = f"{min(values) / known:.2f} to {max(values) / known:.2f}" if known else "-"
            cells.append(both)
        print(f"{hop:<12}" + "".join(f"{cell:>20}" for cell in cells))


def _cell(cost: Cost, recorded: Cost | None, figure: Figure, is_compared: bool) -> str:
    now = cost.get(figure)
    known = recorded.get(figure) if recorded and is_compared else None
    if now is None:
        return "-"
    return f"{now:,.4g}" if not known else f"{now:,.4g} (x {now / known:.2f})"


if __name__ == "__main__":
    sys.exit(main())
