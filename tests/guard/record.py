"""What is recorded of every hop, and on what."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from tests.bench.machine import describe_machine, describe_servers
from tests.guard.cost import Cost
from tests.guard.verdict import Grounds

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "docs" / "measurements" / "guard.json"

_SETTINGS = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name"
_DECIDING = (
    "effective_cache_size", "fsync", "random_page_cost", "shared_buffers", "wal_compression",
    "work_mem",
)  # fmt: skip


class Record(msgspec.Struct, frozen=True):
    """Costs by hop, with the grounds on which they hold and everything else about them."""

    at: datetime
    grounds: Grounds
    machine: dict[str, Any]
    costs: dict[str, Cost]


async def describe_here() -> tuple[Grounds, dict[str, Any]]:
    """Return on what is measured here: what decides, and everything else."""
    names = ("DATABASE_URL", "BROKER_URL", "BROKER_API")
    servers = await describe_servers(*(os.environ[f"JUBILEE_TEST_{name}"] for name in names))
    machine = describe_machine()
    grounds = Grounds(
        python=".".join(platform.python_version_tuple()[:2]),
        postgresql=await _server(servers["postgresql"]),
        processor=_processor(),
    )
    return grounds, machine | servers


def load(path: Path = RECORDED) -> Record | None:
    """Return what is recorded, None where nothing is."""
    return msgspec.json.decode(path.read_bytes(), type=Record) if path.exists() else None


def keep(costs: dict[str, Cost], here: tuple[Grounds, dict[str, Any]]) -> None:
    """Record ``costs`` instead of what was recorded."""
    record = Record(datetime.now(UTC), *here, costs)
    RECORDED.write_bytes(msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


async def _server(version: str) -> str:
    """Return the major version, and the settings by which plans are chosen and work is done."""
    connection = await asyncpg.connect(os.environ["JUBILEE_TEST_DATABASE_URL"])
    try:
        settings = await connection.fetch(_SETTINGS, _DECIDING)
    finally:
        await connection.close()
    named = (f"{one['name']}={one['setting']}" for one in settings)
    return ", ".join([version.partition(".")[0], *named])


def _processor() -> str:
    """Return more than the name, which clouds give to several generations of one maker."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    known = {
        name.strip(): value.strip() for name, _, value in (one.partition(":") for one in lines)
    }
    named = ("model name", "cpu family", "model", "stepping")
    return ", ".join(known[name] for name in named if name in known) or platform.processor()
