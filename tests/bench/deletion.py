"""Seconds from a deletion's request until the dispatcher's claim would see it, real processes."""

import asyncio
from pathlib import Path
from typing import Any

from tests.support.deletions import deletion_delays_s, percentile
from tests.support.town import a_town

PEOPLE = 300


async def measure(pg_url: str, amqp_url: str, amqp_api: str, folder: Path) -> dict[str, Any]:
    """Delete ``PEOPLE`` one after the other and return percentiles of the delay."""
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await asyncio.gather(town.start("user"), town.start("dispatcher"))
        people = [await town.register(number, birthday="1990-03-14") for number in range(PEOPLE)]
        delays_s = await deletion_delays_s(town, people)
    return {
        "what": "deletion known to the dispatcher",
        "items": PEOPLE,
        "per_s": round(PEOPLE / sum(delays_s)),
        "median_ms": round(percentile(delays_s, 0.5) * 1000, 1),
        "p99_ms": round(percentile(delays_s, 0.99) * 1000, 1),
        "slowest_ms": round(delays_s[-1] * 1000, 1),
    }
