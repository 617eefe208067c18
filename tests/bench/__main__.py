"""`make bench`: measure, print a table, keep the raw results.

Rates move with the machine; compare CPU per item, and ratios within one run.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import herd, lag, planning, relay, smtp, writes
from tests.bench.machine import describe_machine
from tests.bench.processor import reference_loop_s
from tests.bench.rivals.measure import COMMANDS as RIVALS
from tests.bench.rivals.measure import measure as measure_rival

ROOT = Path(__file__).parents[2]
Result = dict[str, Any]


def main() -> int:
    """Run the benchmarks named on the command line, or all."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--only", help="run those whose name contains this")
    parser.add_argument("--mails", type=int, default=20_000, help="due in one second")
    parser.add_argument("--results", type=Path, default=ROOT / ".local" / "bench.json")
    options = parser.parse_args()
    return asyncio.run(_run(options))


def _benchmarks(mails: int) -> dict[str, Callable[[], Awaitable[Result]]]:
    servers = (
        os.environ["JUBILEE_TEST_DATABASE_URL"],
        os.environ["JUBILEE_TEST_BROKER_URL"],
        os.environ["JUBILEE_TEST_BROKER_API"],
    )

    def through(provider: str) -> Callable[[], Awaitable[Result]]:
        async def run() -> Result:
            with tempfile.TemporaryDirectory() as folder:
                return await herd.measure(
                    *servers, folder=Path(folder), provider=provider, mails=mails
                )

        return run

    async def single_writes() -> Result:
        with tempfile.TemporaryDirectory() as folder:
            return await writes.measure(*servers, folder=Path(folder), writes=max(mails // 10, 200))

    def rival(name: str) -> Callable[[], Awaitable[Result]]:
        return lambda: measure_rival(name, *servers, mails=max(mails // 10, 100))

    return {
        "relay": lambda: relay.measure(*servers),
        "lag": lambda: lag.measure(*servers),
        "writes": single_writes,
        "planning": lambda: planning.measure(servers[0]),
        "herd-postmark": through("postmark"),
        "herd-vendor": through("vendor"),
        "herd-smtp": through("smtp"),
        "smtp-ours": lambda: smtp.measure(smtp.send_by_ours, "SMTP client, ours"),
        "smtp-aiosmtplib": lambda: smtp.measure(
            smtp.send_by_aiosmtplib, "SMTP client, aiosmtplib pooled"
        ),
        **{f"rival-{name}": rival(name) for name in RIVALS},
    }


async def _run(options: argparse.Namespace) -> int:
    results: list[Result] = []
    for name, measure in _benchmarks(options.mails).items():
        if options.only and options.only not in name:
            continue
        print(f"{name} …", file=sys.stderr, flush=True)
        results.append({"name": name, "reference_loop_s": reference_loop_s()} | await measure())
    _keep(options.results, results)
    _print_table(results)
    print(f"raw results: {options.results}")
    return 0


def _keep(path: Path, results: list[Result]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"at": datetime.now(UTC), **describe_machine(), "results": results}
    path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")


def _print_table(results: list[Result]) -> None:
    print(f"{'measured':<34}{'items':>9}{'per second':>12}{'CPU ms per 1,000':>18}")
    for result in results:
        print(
            f"{result['what']:<34}{result['items']:>9,}"
            f"{result['per_s']:>12,}{result.get('cpu_ms_per_1000', 0.0):>18,.1f}"
        )


if __name__ == "__main__":
    sys.exit(main())
