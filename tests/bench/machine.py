"""On what a measurement was made."""

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg

_PACKAGES = ("asyncpg", "aio-pika", "faststream", "litestar", "msgspec", "tzdata")


def describe_machine() -> dict[str, Any]:
    """Return commit, processor, memory, Python and the packages that matter."""
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False
    )
    return {
        "commit": commit.stdout.strip(),
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "python": platform.python_version(),
        "versions": {package: metadata.version(package) for package in _PACKAGES},
    }


async def describe_servers(pg_url: str, amqp_url: str, api_url: str) -> dict[str, Any]:
    """Return the versions of PostgreSQL and RabbitMQ."""
    connection = await asyncpg.connect(pg_url)
    try:
        postgresql = await connection.fetchval("SHOW server_version")
    finally:
        await connection.close()
    account = urlsplit(amqp_url)
    auth = aiohttp.encode_basic_auth(account.username or "guest", account.password or "guest")
    api = urlsplit(api_url.rstrip("/"))
    url = api._replace(netloc=api.netloc.rpartition("@")[2]).geturl()
    async with (
        aiohttp.ClientSession(headers={"Authorization": auth}) as session,
        session.get(f"{url}/overview") as answer,
    ):
        overview = await answer.json()
    return {"postgresql": postgresql, "rabbitmq": overview["rabbitmq_version"]}


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    lines = about.read_text().splitlines() if about.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor())
