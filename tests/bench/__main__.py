"""`make bench`: measure, print what is wanted beside what is, keep the raw results.

Rates move with the machine; compare CPU per item, and ratios within one run. What is compared with
each other is measured in turns, several rounds, and its median round is told.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import report
from tests.bench.entries import (
    FULL,
    IN_TURNS,
    QUICK,
    SMALL,
    USUAL,
    Measure,
    Result,
    Sizes,
    all_entries,
)
from tests.bench.machine import describe_machine, describe_servers
from tests.bench.processor import reference_loop_s
from tests.bench.rounds import median_round

ROOT = Path(__file__).parents[2]
_ROUNDS = 3


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    options = _parser().parse_args()
    return asyncio.run(_run(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", nargs="+", help="run those whose name contains one of these")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="small sizes, the cheap rows")
    size.add_argument("--full", action="store_true", help="the sizes that the targets name")
    for name in Sizes.__struct_fields__:
        option = f"--{name.replace('_', '-')}"
        parser.add_argument(option, type=int, help=f"usually {getattr(USUAL, name):,}")
    parser.add_argument(
        "--rounds",
        type=int,
        help=f"of what is compared in turns: usually {_ROUNDS}, one with --quick",
    )
    parser.add_argument("--results", type=Path, default=ROOT / ".local" / "bench.json")
    return parser


def _sizes(options: argparse.Namespace) -> Sizes:
    sizes = SMALL if options.quick else FULL if options.full else USUAL
    given = {name: getattr(options, name) for name in Sizes.__struct_fields__}
    return msgspec.structs.replace(
        sizes, **{name: value for name, value in given.items() if value is not None}
    )


def _chosen(options: argparse.Namespace) -> Mapping[str, Measure]:
    return {
        name: measure
        for name, measure in all_entries(_sizes(options)).items()
        if (options.only is None or any(part in name for part in options.only))
        and (not options.quick or options.only is not None or name in QUICK)
    }


def schedule(chosen: Mapping[str, Measure], rounds: int) -> Iterator[Sequence[str]]:
    """Yield what is measured one after the other; a name comes as often as it has rounds."""
    turns = {name: [one for one in group if one in chosen] for group in IN_TURNS for name in group}
    for name in chosen:
        group = turns.get(name, [name])
        if group[0] == name:
            yield group * (rounds if len(group) > 1 else 1)


async def _run(options: argparse.Namespace) -> int:
    machine = describe_machine() | await describe_servers(
        os.environ["JUBILEE_TEST_DATABASE_URL"],
        os.environ["JUBILEE_TEST_BROKER_URL"],
        os.environ["JUBILEE_TEST_BROKER_API"],
    )
    rounds = options.rounds or (1 if options.quick else _ROUNDS)
    head = {"at": datetime.now(UTC), **machine, "sizes": _sizes(options), "rounds": rounds}
    chosen = _chosen(options)
    results: list[Result] = []
    failures: dict[str, str] = {}
    for names in schedule(chosen, rounds):
        measured: dict[str, list[Result]] = {}
        for name in names:
            print(f"{name} …", file=sys.stderr, flush=True)
            reference_s = reference_loop_s()
            # What one benchmark dies of must not take the others' figures along.
            [outcome] = await asyncio.gather(chosen[name](), return_exceptions=True)
            if isinstance(outcome, BaseException):
                failures[name] = repr(outcome)
            else:
                row = {"name": name, "reference_loop_s": reference_s} | outcome
                measured.setdefault(name, []).append(row)
        results += map(median_round, measured.values())
        _keep(options.results, head | {"results": results, "failures": failures})
    for line in report.lines(results, is_whole=not (options.only or options.quick)):
        print(line)
    for name, failure in failures.items():
        print(f"failed: {name}: {failure}")
    print(f"raw results: {options.results}")
    return 1 if failures else 0


def _keep(path: Path, document: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


if __name__ == "__main__":
    sys.exit(main())
