"""A herd due in one second, from plan to provider and back, through the real processes."""

import asyncio
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.memory import MemoryLog
from tests.bench.planned import fill_history, fill_world
from tests.bench.processor import Meter
from tests.bench.stage import set_stage
from tests.support.town import BIRTHDAY, Town, a_town, until

_START_S = 12.0
"""Real seconds the processes get to start before the herd's instant."""
_NINE = datetime.fromisoformat(f"{BIRTHDAY}T09:00:00").replace(tzinfo=UTC)
_SENT_WITHIN_S = 600.0
WORKERS = ("planner", "dispatcher-1", "dispatcher-2")


async def measure(
    pg_url: str,
    amqp_url: str,
    amqp_api: str,
    *,
    folder: Path,
    provider: str,
    mails: int,
    late: timedelta = timedelta(0),
    workers: tuple[str, ...] = WORKERS,
    history: int = 0,
    bystanders: int = 0,
) -> dict[str, Any]:
    """Send ``mails`` due in one second through ``provider`` and return rate and cost.

    With ``late`` the processes were away when it came and start that much after it; what their
    start uses counts then. ``history`` mails were sent on earlier days, and ``bystanders`` more
    people are known. The stub's own count must agree, mail by mail, or this raises.
    """
    async with a_town(
        pg_url, amqp_url, amqp_api, folder, inbox_options=("--lean",), is_quick=False
    ) as town:
        cast = await set_stage(town, ["UTC"] * mails)
        await _live_before(town, history, bystanders)
        due_s = round(time.time() + (0.0 if late else _START_S), 3)
        clock = f"{_NINE + late:%Y-%m-%dT%H:%M:%SZ};rate=1;since={due_s:.3f}"
        env = {"JUBILEE_CLOCK": clock} | provider_env(town, provider)
        meter = Meter()
        await asyncio.gather(*(town.start(name, env=env) for name in workers))
        if not late:
            await sleep_until(due_s - 0.5)
            meter = Meter()
            await sleep_until(due_s)
        memory = MemoryLog()
        await _all_arrived(town, memory, mails)
        totals = await town.settled(mails, timeout_s=120)
        usage = meter.read()
        stats = await town.inbox_stats()
    _agree(totals, stats, mails)
    first_s, last_s = stats["first_s"], stats["last_s"]
    began_s = first_s if late else due_s
    return {
        "what": f"{'overdue' if late else 'herd'} through {provider}",
        "items": mails,
        "per_s": round(mails / max(last_s - began_s, 0.001)),
        "cpu_ms_per_1000": round(usage.total_s() / mails * 1e6, 1),
        "first_after_due_s": round(first_s - due_s, 3),
        "last_after_due_s": round(last_s - due_s, 3),
        "imported_per_s": round(mails / cast.import_s),
        "rss_mib_at_most": memory.most(),
        "ledger": totals,
        "busy_share": round(usage.total_s() / usage.wall_s / (os.cpu_count() or 1), 2),
        "usage": usage,
    }


async def sleep_until(at_s: float) -> None:
    """Sleep until the Unix time ``at_s``.

    Raises:
        RuntimeError: it has passed. Work was done that nobody has measured.
    """
    ahead_s = at_s - time.time()
    if ahead_s < 0:
        raise RuntimeError(f"the processes were ready {-ahead_s:.1f} s too late to be measured")
    await asyncio.sleep(ahead_s)


async def _live_before(town: Town, history: int, bystanders: int) -> None:
    urls = town.env["PLANNER_DATABASE_URL"], town.env["DISPATCHER_DATABASE_URL"]
    if bystanders:
        await fill_world(*urls, bystanders)
    if history:
        await fill_history(*urls, before=_NINE.date(), mails=history)


def provider_env(town: Town, provider: str) -> dict[str, str]:
    """Return the settings with which a dispatcher mails to the stub through ``provider``."""
    if provider == "smtp":
        return {}
    return {"DISPATCHER_PROVIDER": provider, "DISPATCHER_PROVIDER_URL": town.inbox_url}


async def _all_arrived(town: Town, memory: MemoryLog, mails: int) -> None:
    """Wait for the mails at the stub: asking for the ledger meanwhile would be work of its own."""

    async def look() -> bool | None:
        await asyncio.sleep(0.25)
        memory.look()
        return await town.inbox_count() >= mails or None

    await until(look, timeout_s=_SENT_WITHIN_S)


def _agree(totals: Mapping[str, int], stats: Mapping[str, Any], mails: int) -> None:
    counted = (totals["accepted"], stats["count"], stats["duplicates"])
    if counted != (mails, mails, 0):
        raise RuntimeError(f"the ledger says {dict(totals)}, the provider counted {dict(stats)}")
