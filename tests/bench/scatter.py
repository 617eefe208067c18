"""Scattered sends: a few hundred mails, each due at an instant of its own, and how late each is."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from tests.bench.client import percentile_ms
from tests.bench.herd import provider_env, sleep_until
from tests.bench.processor import Meter
from tests.bench.stage import set_stage
from tests.support.town import BIRTHDAY, Town, a_town, until

MAILS = 300
SPREAD_S = 20.0
_START_S = 12.0
_NINE = datetime.fromisoformat(f"{BIRTHDAY}T09:00:00").replace(tzinfo=UTC)
_WORKERS = ("planner", "dispatcher")
_SPREAD = """
UPDATE plan
SET due_at = plan.due_at + spread.after,
    release_at = plan.release_at + spread.after,
    expires_at = plan.expires_at + spread.after
FROM (
    SELECT
        person_id,
        (row_number() OVER (ORDER BY md5(person_id::text)) - 1) * $1::interval AS after
    FROM plan
) AS spread
WHERE plan.person_id = spread.person_id
RETURNING plan.person_id, plan.due_at
"""


async def measure(pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path) -> dict[str, Any]:
    """Send ``MAILS`` due one after the other over 20 s; return how late each reached the stub."""
    async with a_town(
        pg_url, amqp_url, amqp_api, folder, inbox_options=("--lean",), is_quick=False
    ) as town:
        await set_stage(town, ["UTC"] * MAILS)
        due_at = await _spread(town)
        since_s = round(time.time() + _START_S, 3)
        clock = f"{_NINE:%Y-%m-%dT%H:%M:%SZ};rate=1;since={since_s:.3f}"
        env = {"JUBILEE_CLOCK": clock} | provider_env(town, "postmark")
        await asyncio.gather(*(town.start(name, env=env) for name in _WORKERS))
        await sleep_until(since_s - 0.5)
        meter = Meter()
        await sleep_until(since_s)
        await until(lambda: _all_arrived(town), timeout_s=SPREAD_S + 60)
        usage = meter.read()
        await town.settled(MAILS)
        times = await _times(town)
    late_s = [
        at_s - since_s - (due_at[occurrence.split("/")[1]] - _NINE).total_seconds()
        for occurrence, at_s in times
    ]
    if len(late_s) != MAILS or min(late_s) < 0:
        raise RuntimeError(f"{len(late_s)} mails arrived, the first {min(late_s)} s after its time")
    return {
        "what": "scattered sends",
        "items": MAILS,
        "per_s": round(MAILS / SPREAD_S),
        "cpu_ms_per_1000": round(usage.total_s() / MAILS * 1e6, 1),
        "p50_ms": percentile_ms(late_s, 0.5),
        "p99_ms": percentile_ms(late_s, 0.99),
        "usage": usage,
    }


async def _spread(town: Town) -> dict[str, datetime]:
    """Move the planned rows apart; return when each person's is due."""
    connection = await asyncpg.connect(town.env["PLANNER_DATABASE_URL"])
    try:
        rows = await connection.fetch(_SPREAD, timedelta(seconds=SPREAD_S / MAILS))
    finally:
        await connection.close()
    return {str(row["person_id"]): row["due_at"] for row in rows}


async def _all_arrived(town: Town) -> bool | None:
    await asyncio.sleep(0.25)
    return await town.inbox_count() >= MAILS or None


async def _times(town: Town) -> list[tuple[str, float]]:
    """Return occurrence and time (Unix seconds) of every mail the stub took."""
    async with town.session.get(f"{town.inbox_url}/api/times", timeout=None) as response:
        return msgspec.json.decode(await response.read(), type=list[tuple[str, float]])
