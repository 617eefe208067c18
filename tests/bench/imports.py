"""People imported through the public endpoint, then projected by planner and dispatcher in turn.

The importer runs alone, and so does each projection: events wait at the broker meanwhile.
"""

import asyncio
import time
from pathlib import Path
from typing import Any

from libs.outbox.sql import SQL
from tests.bench import crowd
from tests.bench.processor import Meter, Usage
from tests.bench.stage import EVENING_BEFORE, import_people
from tests.support.town import Town, a_town, until

_BIRTHDAY = "1990-06-14"
"""Not near: projecting alone is measured, not planning."""
_ROLES: dict[str, tuple[str, str]] = {
    "planner": ("project", "SELECT count(*) FROM recipients"),
    "dispatcher": ("contacts", "SELECT count(*) FROM contacts"),
}
_PROJECTED_WITHIN_S = 900.0


async def measure(
    pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path, people: int
) -> dict[str, Any]:
    """Import ``people`` and return how fast they were accepted and projected, and at what cost."""
    zones = crowd.zones_in_order(people)
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await town.start("user", env={"JUBILEE_CLOCK": EVENING_BEFORE})
        meter = Meter()
        started_s = time.perf_counter()
        await import_people(town, zones, birthday=_BIRTHDAY)
        import_s = time.perf_counter() - started_s
        await _wait_until_relayed(town)
        usage = meter.read()
        await town.system.stop("user")
        projections = {name: await _project(town, name, people) for name in _ROLES}
    return {
        "what": "import, then projections",
        "items": people,
        "per_s": round(people / import_s),
        "cpu_ms_per_1000": _cost(usage, people),
        **{f"{name}_per_s": rate for name, (rate, _) in projections.items()},
        **{
            f"{name}_cpu_ms_per_1000": _cost(used, people)
            for name, (_, used) in projections.items()
        },
        "usage": usage,
    }


async def _wait_until_relayed(town: Town) -> None:
    async def look() -> bool | None:
        return await town.ask("user", SQL.oldest_unpublished) is None or None

    await until(look, timeout_s=_PROJECTED_WITHIN_S)


async def _project(town: Town, name: str, people: int) -> tuple[int, Usage]:
    """Return people per second from before the first that ``name`` took in, and what it used."""
    role, count = _ROLES[name]
    meter = Meter()

    async def look() -> bool | None:
        nonlocal meter
        await asyncio.sleep(0.05)
        seen = (await town.ask(name, count))[0]
        if not seen:
            # Starting up is not projecting.
            meter = Meter()
        return seen >= people or None

    await town.start(name, roles=(role,), env={"JUBILEE_CLOCK": EVENING_BEFORE}, is_awaited=False)
    await until(look, timeout_s=_PROJECTED_WITHIN_S)
    usage = meter.read()
    await town.system.stop(name)
    return round(people / usage.wall_s), usage


def _cost(usage: Usage, people: int) -> float:
    return round(usage.total_s() / people * 1e6, 1)
