"""What CPU a hop takes, beside work of fixed size that is done between its batches."""

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from statistics import median

import msgspec

from libs.postgres.types import Pool
from tests.guard.cost import Cpu
from tests.guard.hop import Hop, Work
from tests.guard.reference import Reference


class Round(msgspec.Struct, frozen=True):
    """CPU of a batch, and of the fixed work before and after it, in milliseconds."""

    batch: float
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """How many times the fixed work the batch was."""
        return 2 * self.batch / (self.before + self.after)


async def take_time(hop: Hop, works: AsyncIterator[Work], reference: Reference) -> Cpu:
    """Do all ``works`` and return what CPU an item of them took."""
    server = await _find_server(hop.pool)
    python_rounds: list[Round] = []
    server_rounds: list[Round] = []
    gc.collect()
    gc.freeze()
    try:
        async for work in works:
            spent = [
                await _spend(one, server)
                for one in (
                    reference.compute,
                    reference.serve,
                    work,
                    reference.serve,
                    reference.compute,
                )
            ]
            python_rounds.append(Round(spent[2][0], spent[0][0], spent[4][0]))
            server_rounds.append(Round(spent[2][1], spent[1][1], spent[3][1]))
    finally:
        gc.unfreeze()
    thousand = 1000 / hop.items
    return Cpu(
        python=round(median(one.ratio for one in python_rounds) * thousand, 4),
        server=round(median(one.ratio for one in server_rounds) * thousand, 4) if server else None,
        python_ms=round(median(one.before for one in python_rounds), 3),
        server_ms=round(median(one.before for one in server_rounds), 3) if server else None,
    )


async def _find_server(pool: Pool) -> Path | None:
    """Return where the kernel tells the CPU of this connection's server process.

    None where it is not to be seen: in a container, or on another machine.
    """
    database: str = await pool.fetchval("SELECT current_database()")
    folder = Path(f"/proc/{await pool.fetchval('SELECT pg_backend_pid()')}")
    try:
        command = (folder / "cmdline").read_bytes()
        (folder / "schedstat").read_bytes()
    except OSError:
        return None
    # The number may be another process's here, where the server has numbers of its own.
    return folder / "schedstat" if database.encode() in command else None


async def _spend(work: Callable[[], Awaitable[None]], server: Path | None) -> tuple[float, float]:
    """Return the CPU milliseconds of this process and of the server's that ``work`` took."""
    before = time.process_time_ns(), _server_ns(server)
    await work()
    return (
        (time.process_time_ns() - before[0]) / 1e6,
        (_server_ns(server) - before[1]) / 1e6,
    )


def _server_ns(server: Path | None) -> int:
    return int(server.read_bytes().split()[0]) if server else 0
