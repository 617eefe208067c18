"""`make day`: one local day of a million greetings, from the first zone to the last.

Imports the people through the public endpoint, lets the day pass under a fast clock, counts every
mail at the stub, and draws what happened. Lateness is real time: seconds of the machine, not of
the fast calendar.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from tests.bench import crowd
from tests.bench.day_chart import draw
from tests.bench.herd import WORKERS, provider_env
from tests.bench.machine import describe_machine
from tests.bench.memory import MemoryLog
from tests.bench.processor import Meter, reference_loop_s
from tests.bench.stage import set_stage, show_progress
from tests.support.town import Town, a_town, until

ROOT = Path(__file__).parents[2]
DAY = date(2027, 3, 10)
_FIRST_LOOK = datetime(2027, 3, 9, 18, 45, tzinfo=UTC)
_LAST_NINE = datetime(2027, 3, 10, 21, tzinfo=UTC)
_START_S = 12.0
"""Real seconds the processes get to start before the day's clock begins to run."""
_DRAINED_WITHIN_S = 900.0
_PERCENTILES = """
SELECT
    zone,
    count(*) AS mails,
    min(due_at) AS due_at,
    percentile_cont(ARRAY[0.5, 0.99, 1.0]) WITHIN GROUP (
        ORDER BY extract(epoch FROM settled_at - due_at)
    ) AS late_s
FROM plan
WHERE local_day = $1 AND state = 'accepted'
GROUP BY zone
ORDER BY min(due_at), zone
"""


class ZoneLateness(msgspec.Struct, frozen=True):
    """One zone's mails: when they were due, and how many real seconds later they were taken."""

    zone: str
    mails: int
    due_at: datetime
    p50_s: float
    p99_s: float
    max_s: float


def main() -> int:
    """Run the day and print its account."""
    parser = argparse.ArgumentParser(prog="make day", description=__doc__)
    parser.add_argument("--mails", type=int, default=1_000_000)
    parser.add_argument(
        "--rate", type=float, default=480.0, help="calendar seconds that pass in a real one"
    )
    parser.add_argument("--results", type=Path, default=ROOT / ".local" / "day.json")
    parser.add_argument("--chart", type=Path, default=ROOT / ".local" / "day.svg")
    return asyncio.run(_run(parser.parse_args()))


async def _run(options: argparse.Namespace) -> int:
    servers = (
        os.environ["JUBILEE_TEST_DATABASE_URL"],
        os.environ["JUBILEE_TEST_BROKER_URL"],
        os.environ["JUBILEE_TEST_BROKER_API"],
    )
    with tempfile.TemporaryDirectory() as folder:
        result = await _live_through(options, *servers, folder=Path(folder))
    options.results.parent.mkdir(parents=True, exist_ok=True)
    document = {"at": datetime.now(UTC), **describe_machine(), **result}
    options.results.write_bytes(msgspec.json.format(msgspec.json.encode(document)) + b"\n")
    options.chart.write_text(draw(result), encoding="utf-8")
    _print_account(result)
    print(f"raw results: {options.results}\nchart: {options.chart}")
    return 0 if result["is_balanced"] else 1


async def _live_through(
    options: argparse.Namespace, pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path
) -> dict[str, Any]:
    mails: int = options.mails
    zones = crowd.zones_in_order(mails)
    reference_s = reference_loop_s()
    async with a_town(
        pg_url, amqp_url, amqp_api, folder, inbox_options=("--lean",), is_quick=False
    ) as town:
        cast = await set_stage(town, zones)
        since_s = round(time.time() + _START_S, 3)
        clock = f"{_FIRST_LOOK:%Y-%m-%dT%H:%M:%SZ};rate={options.rate};since={since_s:.3f}"
        env = {"JUBILEE_CLOCK": clock} | provider_env(town, "postmark")
        for name in WORKERS:
            await town.start(name, env=env)
        meter = Meter()
        memory = MemoryLog()
        sent = await _sweep(town, memory, mails, options.rate, since_s=since_s)
        totals = await _settled(town, mails)
        usage = meter.read()
        stats = await town.inbox_stats()
        times = await _times(town)
        late = await _lateness(town, options.rate)
    early = _count_early(times, cast.zone_of, options.rate, since_s)
    is_balanced = (
        totals["owed"] == totals["accepted"] == stats["count"] == len(times) == mails
        and stats["duplicates"] == 0
        and early == 0
    )
    seconds = Counter(int(at_s) for _, at_s in times)
    return {
        "what": "a day in fast motion",
        "mails": mails,
        "rate": options.rate,
        "is_balanced": is_balanced,
        "ledger": totals,
        "counted_by_the_provider": stats["count"],
        "duplicates": stats["duplicates"],
        "early": early,
        "imported_per_s": round(mails / cast.import_s),
        "projected_per_s": round(mails / cast.projected_s),
        "planned_after_s": round(cast.planned_s, 1),
        "sweep_s": round(stats["last_s"] - stats["first_s"], 1),
        "busiest_second_mails": max(seconds.values()),
        "cpu_ms_per_1000": round(usage.total_s() / mails * 1e6, 1),
        "reference_loop_s": reference_s,
        "zones": late,
        "sent": sent,
        "memory": memory.series(),
        "usage": usage,
    }


async def _sweep(
    town: Town, memory: MemoryLog, mails: int, rate: float, *, since_s: float
) -> list[tuple[float, int]]:
    """Watch until everything is sent; return (calendar seconds since the first look, mails)."""
    started_s = time.perf_counter()
    sent: list[tuple[float, int]] = []

    async def look() -> bool | None:
        await asyncio.sleep(0.5)
        count = await town.inbox_count()
        sent.append((round((time.time() - since_s) * rate, 1), count))
        memory.look()
        show_progress("sent", count, mails, started_s)
        return count >= mails or None

    days_s = (_LAST_NINE - _FIRST_LOOK) / timedelta(seconds=rate)
    await until(look, timeout_s=days_s + _DRAINED_WITHIN_S)
    return sent


async def _settled(town: Town, mails: int) -> dict[str, int]:
    async def look() -> dict[str, int] | None:
        totals = await town.ledger(DAY.isoformat())
        return totals if totals["accepted"] >= mails or not totals["pending"] else None

    return await until(look, timeout_s=_DRAINED_WITHIN_S)


async def _times(town: Town) -> list[tuple[str, float]]:
    """Return occurrence and time (Unix seconds) of every mail the stub took."""
    async with town.session.get(f"{town.inbox_url}/api/times", timeout=None) as response:
        return msgspec.json.decode(await response.read(), type=list[tuple[str, float]])


async def _lateness(town: Town, rate: float) -> list[ZoneLateness]:
    connection = await asyncpg.connect(town.env["PLANNER_DATABASE_URL"])
    try:
        rows = await connection.fetch(_PERCENTILES, DAY, timeout=300)
    finally:
        await connection.close()
    return [
        ZoneLateness(
            row["zone"],
            row["mails"],
            row["due_at"],
            *(round(one / rate, 3) for one in row["late_s"]),
        )
        for row in rows
    ]


def _count_early(
    times: list[tuple[str, float]], zone_of: Mapping[str, str], rate: float, since_s: float
) -> int:
    """Count mails before 09:00 of their zone, by the standard library's zone rules."""
    nine_s = {
        zone: datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=ZoneInfo(zone)).timestamp()
        for zone in set(zone_of.values())
    }
    first_s = _FIRST_LOOK.timestamp()
    return sum(
        first_s + (at_s - since_s) * rate < nine_s[zone_of[occurrence.split("/")[1]]]
        for occurrence, at_s in times
    )


def _print_account(result: Mapping[str, Any]) -> None:
    print(f"{'zone':<32}{'09:00 in UTC':<14}{'mails':>9}{'p50 s':>9}{'p99 s':>9}{'max s':>9}")
    for zone in result["zones"]:
        print(
            f"{zone.zone:<32}{zone.due_at:%d %H:%M}      {zone.mails:>9,}"
            f"{zone.p50_s:>9.2f}{zone.p99_s:>9.2f}{zone.max_s:>9.2f}"
        )
    print(f"{'process':<32}{'RSS at first':>14}{'at most':>9}{'at last':>9}  MiB")
    for process, series in result["memory"].items():
        values = [value for _, value in series]
        print(f"{process:<32}{values[0]:>14.0f}{max(values):>9.0f}{values[-1]:>9.0f}")
    print(
        f"imported {result['imported_per_s']:,}/s; sent {result['mails']:,} mails in"
        f" {result['sweep_s']:,} s, {result['busiest_second_mails']:,} in the busiest second;"
        f" {result['cpu_ms_per_1000']} CPU ms per 1,000"
    )
    ledger = " ".join(f"{name}={count}" for name, count in result["ledger"].items())
    print(
        f"ledger: {ledger} counted={result['counted_by_the_provider']}"
        f" duplicates={result['duplicates']} early={result['early']}"
    )


if __name__ == "__main__":
    sys.exit(main())
