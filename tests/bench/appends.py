"""Single appends over eight connections: ours with everything a registration keeps, and a rival's.

Ours is one statement: event, state, data key and outbox row. The rival keeps the event alone.
"""

import asyncio
import os
import sys
from datetime import UTC, datetime
from typing import Any

from libs.eventstore.sealing import KeyRing, new_key
from libs.ids import new_id
from libs.postgres.pool import open_pool
from services.user.adapters.appending import append_registrations
from services.user.adapters.store import Origin, Store
from services.user.domain.person import Change, register_person
from services.user.wiring import MIGRATIONS
from tests.bench.processor import Meter, Usage
from tests.bench.rivals.measure import HERE, installed
from tests.support.databases import fresh_database
from tests.support.people import a_profile

APPENDS = 4_000
CONNECTIONS = 8
_NOW = datetime(2027, 3, 8, tzinfo=UTC)
_ORIGIN = Origin(caller="bench")


async def measure(pg_url: str) -> dict[str, Any]:
    """Register ``APPENDS`` people, one append each, and return rate and cost."""
    async with (
        fresh_database(pg_url, *MIGRATIONS) as url,
        open_pool(url, name="bench", size=CONNECTIONS) as pool,
    ):
        store = Store(pool, KeyRing(new_key()))
        waiting = iter([_change(number) for number in range(APPENDS)])

        async def work() -> int:
            won = 0
            for change in waiting:
                (verdict,) = await append_registrations(store, [change], origin=_ORIGIN, now=_NOW)
                won += verdict.has_won
            return won

        meter = Meter()
        won = sum(await asyncio.gather(*(work() for _ in range(CONNECTIONS))))
        usage = meter.read()
    if won != APPENDS:
        raise RuntimeError(f"{won} of {APPENDS} were registered")
    return _result("appends, ours", usage.wall_s, usage)


async def measure_eventsourcing(pg_url: str) -> dict[str, Any]:
    """Have the library append as many events over as many connections."""
    programs = await asyncio.to_thread(installed)
    async with fresh_database(pg_url, "libs.outbox.migrations") as url:
        process = await asyncio.create_subprocess_exec(
            str(programs / "python"),
            str(HERE / "eventsourcing_appends.py"),
            str(APPENDS),
            env=os.environ | {"RIVAL_DATABASE_URL": url},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=sys.stderr,
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a piped process has an input and an output")
        await process.stdout.readline()
        meter = Meter()
        process.stdin.write(b"go\n")
        wall_s = float(await process.stdout.readline())
        usage = meter.read()
        process.stdin.write(b"done\n")
        await process.wait()
    return _result("appends, eventsourcing", wall_s, usage)


def _change(number: int) -> Change:
    return register_person(new_id(), a_profile(email=f"ada{number}@example.com"), _NOW)


def _result(what: str, wall_s: float, usage: Usage) -> dict[str, Any]:
    return {
        "what": what,
        "items": APPENDS,
        "per_s": round(APPENDS / wall_s),
        # The appending process is this one, or one that it started.
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / APPENDS * 1e6, 1),
        "usage": usage,
    }
