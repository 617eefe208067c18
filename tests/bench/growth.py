"""`make growth`: what a mail costs as days grow larger and history longer.

Each point is a herd through the real processes, like those of `make bench`; only one thing differs
from point to point. The stub's own count must agree each time.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from tests.bench import herd
from tests.bench.growth_chart import draw
from tests.bench.machine import describe_machine, describe_servers
from tests.bench.planned import ROWS_OF_A_MAIL
from tests.bench.processor import reference_loop_s

ROOT = Path(__file__).parents[2]


def main() -> int:
    """Measure the points, print them and draw them."""
    parser = argparse.ArgumentParser(prog="make growth", description=__doc__)
    parser.add_argument("--mails", type=int, nargs="+", default=[10_000, 30_000, 100_000, 300_000])
    parser.add_argument(
        "--history",
        type=int,
        nargs="+",
        default=[0, 1_000_000, 5_000_000, 25_000_000],
        help="mails of earlier days; each is four rows on disk",
    )
    parser.add_argument(
        "--people", type=int, default=10_000_000, help="known people beside the longest history"
    )
    parser.add_argument(
        "--herd", type=int, default=20_000, help="mails sent after each of the histories"
    )
    parser.add_argument("--results", type=Path, default=ROOT / ".local" / "growth.json")
    parser.add_argument("--chart", type=Path, default=ROOT / ".local" / "growth.svg")
    return asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> int:
    servers = (
        os.environ["JUBILEE_TEST_DATABASE_URL"],
        os.environ["JUBILEE_TEST_BROKER_URL"],
        os.environ["JUBILEE_TEST_BROKER_API"],
    )
    document: dict[str, Any] = {
        "at": datetime.now(UTC),
        **describe_machine(),
        **await describe_servers(*servers),
        "by_mails": [],
        "by_history": [],
    }
    print(
        f"{'mails at once':>14}{'mails before':>14}{'rows before':>14}{'people':>13}"
        f"{'mails/s':>10}{'CPU ms per 1,000':>19}",
        flush=True,
    )
    for mails in options.mails:
        point = await _measure(servers, mails=mails, history=0, bystanders=0)
        document["by_mails"].append(point)
        _keep(options, document)
    longest = max(options.history)
    for history in options.history:
        people = options.people if history == longest else 0
        point = await _measure(servers, mails=options.herd, history=history, bystanders=people)
        document["by_history"].append(point)
        _keep(options, document)
    options.chart.write_text(draw(document), encoding="utf-8")
    print(f"raw results: {options.results}\nchart: {options.chart}")
    return 0


async def _measure(
    servers: tuple[str, ...], *, mails: int, history: int, bystanders: int
) -> Mapping[str, Any]:
    reference_s = reference_loop_s()
    with tempfile.TemporaryDirectory() as folder:
        result = await herd.measure(
            *servers,
            folder=Path(folder),
            provider="postmark",
            mails=mails,
            history=history,
            bystanders=bystanders,
        )
    point = {
        "mails": mails,
        "history_mails": history,
        "history_rows": history * ROWS_OF_A_MAIL,
        "people": bystanders + mails,
        "reference_loop_s": reference_s,
        **result,
    }
    print(
        f"{mails:>14,}{history:>14,}{point['history_rows']:>14,}{point['people']:>13,}"
        f"{point['per_s']:>10,}{point['cpu_ms_per_1000']:>19,.1f}",
        flush=True,
    )
    return point


def _keep(options: argparse.Namespace, document: Mapping[str, Any]) -> None:
    options.results.parent.mkdir(parents=True, exist_ok=True)
    options.results.write_bytes(
        msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"
    )


if __name__ == "__main__":
    sys.exit(main())
