"""Runs a rival's workers on jobs that wait, and measures from its first mail to its last."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import venv
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import msgspec

from tests.bench.processor import Meter
from tests.support.databases import fresh_database
from tests.support.town import until
from tests.support.vhosts import fresh_vhost

ROOT = Path(__file__).parents[3]
HERE = Path(__file__).parent
LOCK = ROOT / "requirements" / "rivals.lock"
HOME = ROOT / ".local" / "rivals"

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "pgqueuer": ("python", "pgqueuer_worker.py", "work"),
    "dramatiq": ("dramatiq", "dramatiq_worker", "--processes", "2", "--threads", "8"),
    "celery": (
        "celery", "-A", "celery_worker", "worker", "--pool", "threads", "--concurrency", "8",
        "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "ERROR",
    ),
}  # fmt: skip
SETUP: Mapping[str, tuple[tuple[str, ...], ...]] = {"pgqueuer": (("pgq", "install"),)}
WORKERS: Mapping[str, int] = {"pgqueuer": 2, "celery": 2}
"""Processes started side by side, where one command does not start several by itself."""

_TIMEOUT_S = 300.0


async def measure(
    name: str, pg_url: str, amqp_url: str, amqp_api: str, *, mails: int
) -> dict[str, Any]:
    """Let ``name`` send ``mails`` and return its rate and cost, servers and stub included."""
    programs = await asyncio.to_thread(installed)
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        _inbox() as inbox_url,
        aiohttp.ClientSession() as session,
    ):
        await _prepare(database_url)
        environ = os.environ | {
            "RIVAL_DATABASE_URL": database_url,
            "RIVAL_BROKER_URL": vhost_url,
            "RIVAL_PROVIDER_URL": f"{inbox_url}send-email",
            "PGDSN": database_url,
            "PYTHONPATH": str(HERE),
        }
        script = HERE / f"{name}_worker.py"
        for program, *options in (*SETUP.get(name, ()), ("python", str(script), str(mails))):
            command = [str(programs / program), *options]
            await asyncio.to_thread(subprocess.run, command, check=True, env=environ, cwd=HERE)
        stats_url = f"{inbox_url}api/stats"
        async with _workers(name, programs, environ):
            await _arrived(session, stats_url, 1)
            meter = Meter()
            before = (await _stats(session, stats_url))["count"]
            stats = await _arrived(session, stats_url, mails)
            usage = meter.read()
        recorded = await _count_results(database_url)
    if stats["count"] != mails:
        raise RuntimeError(f"{name} sent {stats['count']} mails for {mails} jobs")
    counted = mails - before
    return {
        "what": f"rival: {name}",
        "items": mails,
        "per_s": round(mails / max(stats["last_s"] - stats["first_s"], 0.001)),
        "cpu_ms_per_1000": round(usage.total_s() / counted * 1e6, 1),
        "recorded": recorded,
        "usage": usage,
    }


def installed() -> Path:
    """Return the folder of programs of the rivals' own environment, made when it is not there."""
    programs = HOME / "bin"
    marker = HOME / "lock"
    if not marker.exists() or marker.read_text() != LOCK.read_text():
        print("installing requirements/rivals.lock into .local/rivals", file=sys.stderr)
        venv.create(HOME, with_pip=True, clear=True)
        pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        subprocess.run([*pip, "--requirement", str(LOCK)], check=True)
        marker.write_text(LOCK.read_text())
    return programs


async def _prepare(database_url: str) -> None:
    connection = await asyncpg.connect(database_url)
    try:
        await connection.execute("CREATE TABLE results (number int PRIMARY KEY, message_id text)")
    finally:
        await connection.close()


async def _count_results(database_url: str) -> int:
    connection = await asyncpg.connect(database_url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM results"))
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _inbox() -> AsyncIterator[str]:
    """Start the lean stub and yield its URL."""
    options = ("--lean", "--smtp-port", "0", "--http-port", "0")
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.demo.inbox", *options, cwd=ROOT, stdout=subprocess.PIPE
    )
    if process.stdout is None:
        raise RuntimeError("a piped process has an output")
    try:
        yield str(msgspec.json.decode(await process.stdout.readline())["url"])
    finally:
        process.terminate()
        await process.wait()


@contextlib.asynccontextmanager
async def _workers(name: str, programs: Path, environ: Mapping[str, str]) -> AsyncIterator[None]:
    program, *options = COMMANDS[name]
    with (HOME / f"{name}.log").open("wb") as log:
        started = [
            await asyncio.create_subprocess_exec(
                str(programs / program),
                *options,
                env=dict(environ),
                cwd=HERE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            for _ in range(WORKERS.get(name, 1))
        ]
        try:
            yield
        finally:
            for process in started:
                # The whole session: what a worker forked must not outlive the measurement.
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()


async def _stats(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    async with session.get(url) as response:
        stats: dict[str, Any] = await response.json()
        return stats


async def _arrived(session: aiohttp.ClientSession, url: str, count: int) -> dict[str, Any]:
    """Wait until the stub has taken ``count`` mails and return what it counted."""

    async def look() -> dict[str, Any] | None:
        stats = await _stats(session, url)
        return stats if stats["count"] >= count else None

    return await until(look, timeout_s=_TIMEOUT_S)
