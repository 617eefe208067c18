"""A herd due in one second, from plan to provider and back, through the real processes."""

import asyncio
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.bench.processor import Meter
from tests.support.town import AUTHORIZATION, BEFORE_NINE, BIRTHDAY, Town, a_town, until

_PREPARATION_S = 20.0
"""Real seconds between the start of planner and dispatchers and the herd's instant."""


async def measure(
    pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path, provider: str, mails: int
) -> dict[str, Any]:
    """Send ``mails`` due in one second through ``provider`` and return rate and cost.

    The stub's own count must agree, mail by mail, or this raises.
    """
    async with a_town(
        pg_url, amqp_url, amqp_api, folder, inbox_options=("--lean",), is_quick=False
    ) as town:
        await town.start("user", env={"JUBILEE_CLOCK": BEFORE_NINE})
        imported_s = await _import(town, mails)
        clock = f"{BIRTHDAY}T09:00:00Z;rate=1;since={time.time() + _PREPARATION_S:.3f}"
        env = {
            "JUBILEE_CLOCK": clock,
            "DISPATCHER_PROVIDER": provider,
        }
        if provider != "smtp":
            env["DISPATCHER_PROVIDER_URL"] = town.inbox_url
        due_s = time.time() + _PREPARATION_S
        for name in ("planner", "dispatcher-1", "dispatcher-2"):
            await town.start(name, env=env)
        await until(lambda: _owes(town, mails), timeout_s=_PREPARATION_S)
        await asyncio.sleep(max(0.0, due_s - 0.5 - time.time()))
        meter = Meter()
        await _all_arrived(town, mails)
        totals = await town.settled(mails, timeout_s=60)
        usage = meter.read()
        stats = await town.inbox_stats()
    _agree(totals, stats, mails)
    first_s, last_s = stats["first_s"], stats["last_s"]
    return {
        "what": f"herd through {provider}",
        "items": mails,
        "per_s": round(mails / max(last_s - due_s, 0.001)),
        "cpu_ms_per_1000": round(usage.total_s() / mails * 1e6, 1),
        "first_after_due_s": round(first_s - due_s, 3),
        "last_after_due_s": round(last_s - due_s, 3),
        "imported_per_s": round(mails / imported_s),
        "ledger": totals,
        "usage": usage,
    }


def _people(mails: int) -> Iterator[bytes]:
    for number in range(mails):
        person = {
            "first_name": "Ada",
            "last_name": f"Number {number}",
            "email": f"ada{number}@example.com",
            "timezone": "UTC",
            "birthday": f"1990-{BIRTHDAY[5:]}",
            "external_id": f"herd-{number}",
        }
        yield json.dumps(person).encode() + b"\n"


async def _import(town: Town, mails: int) -> float:
    """Import everyone through the public endpoint; return how long it took, in seconds."""
    body = b"".join(_people(mails))
    headers: Mapping[str, str] = AUTHORIZATION | {"Content-Type": "application/x-ndjson"}
    started_s = time.perf_counter()
    url = town.system.url("user") + "/v1/users/import"
    async with town.session.post(url, data=body, headers=headers) as response:
        outcomes = [json.loads(line) async for line in response.content]
    created = sum(outcome.get("status") == "created" for outcome in outcomes)
    if created != mails:
        raise RuntimeError(f"imported {created} of {mails}, for example {outcomes[:3]}")
    return time.perf_counter() - started_s


async def _owes(town: Town, mails: int) -> bool | None:
    totals = await town.ledger()
    return totals["owed"] == mails or None


async def _all_arrived(town: Town, mails: int) -> None:
    """Wait for the mails at the stub: asking for the ledger meanwhile would be work of its own."""

    async def look() -> bool | None:
        await asyncio.sleep(0.25)
        return (await town.inbox_stats())["count"] >= mails or None

    await until(look, timeout_s=300)


def _agree(totals: Mapping[str, int], stats: Mapping[str, Any], mails: int) -> None:
    counted = (totals["accepted"], stats["count"], stats["duplicates"])
    if counted != (mails, mails, 0):
        raise RuntimeError(f"the ledger says {dict(totals)}, the provider counted {dict(stats)}")
