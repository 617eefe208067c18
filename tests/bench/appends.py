"""Single appends by eight writers: ours with everything a registration keeps, and a rival's.

Ours keeps event, state, data key and outbox row, as a registration over HTTP does: those that come
during a commit share the next one. The rival keeps the event alone.
"""

import asyncio
from datetime import UTC, datetime
from typing import Any

from libs.eventstore.sealing import KeyRing, new_key
from libs.ids import new_id
from libs.postgres.pool import open_pool
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin, Store
from services.user.domain.person import Change, register_person
from services.user.wiring import MIGRATIONS, PLANNING
from tests.bench.processor import Meter
from tests.bench.rivals.script import measure_script
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
        open_pool(url, name="bench", size=CONNECTIONS, settings=PLANNING) as pool,
    ):
        registrations = Registrations(Store(pool, KeyRing(new_key())))
        waiting = iter([_change(number) for number in range(APPENDS)])

        async def work() -> int:
            won = 0
            for change in waiting:
                verdict = await registrations.append(change, origin=_ORIGIN, now=_NOW)
                won += verdict.has_won
            return won

        meter = Meter()
        won = sum(await asyncio.gather(*(work() for _ in range(CONNECTIONS))))
        usage = meter.read()
    if won != APPENDS:
        raise RuntimeError(f"{won} of {APPENDS} were registered")
    return {
        "what": "appends, ours",
        "items": APPENDS,
        "per_s": round(APPENDS / usage.wall_s),
        # The appending process is this one.
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / APPENDS * 1e6, 1),
        "usage": usage,
    }


async def measure_eventsourcing(pg_url: str) -> dict[str, Any]:
    """Have the library append as many events over as many connections."""
    async with fresh_database(pg_url, "libs.outbox.migrations") as url:
        return await measure_script(
            "eventsourcing_appends.py",
            what="appends, eventsourcing",
            items=APPENDS,
            environ={"RIVAL_DATABASE_URL": url},
        )


def _change(number: int) -> Change:
    return register_person(new_id(), a_profile(email=f"ada{number}@example.com"), _NOW)
