"""A herd due in one second, from plan to provider and back, through the real processes."""

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.bench.memory import MemoryLog
from tests.bench.processor import Meter
from tests.bench.stage import set_stage
from tests.support.town import BIRTHDAY, Town, a_town, until

_START_S = 10.0
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
) -> dict[str, Any]:
    """Send ``mails`` due in one second through ``provider`` and return rate and cost.

    With ``late`` the processes were away when it came and start that much after it. The stub's own
    count must agree, mail by mail, or this raises.
    """
    async with a_town(
        pg_url, amqp_url, amqp_api, folder, inbox_options=("--lean",), is_quick=False
    ) as town:
        cast = await set_stage(town, ["UTC"] * mails)
        due_s = round(time.time() + (0.0 if late else _START_S), 3)
        clock = f"{_NINE + late:%Y-%m-%dT%H:%M:%SZ};rate=1;since={due_s:.3f}"
        env = {"JUBILEE_CLOCK": clock} | provider_env(town, provider)
        meter = Meter() if late else None
        for name in workers:
