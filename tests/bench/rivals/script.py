"""Runs one of the rivals' scripts that time themselves, and measures what it used."""

import asyncio
import os
import sys
from collections.abc import Mapping
from typing import Any

from tests.bench.processor import Meter
from tests.bench.rivals.measure import HERE, installed

_TIMEOUT_S = 300.0


async def measure_script(
    name: str, *, what: str, items: int, environ: Mapping[str, str]
) -> dict[str, Any]:
    """Run a script and return rate and cost.

    It prints ``ready``, is told to go by a line, prints the seconds it took, and ends at another.
    """
    programs = await asyncio.to_thread(installed)
    process = await asyncio.create_subprocess_exec(
        str(programs / "python"),
        str(HERE / name),
        str(items),
        env=os.environ | dict(environ),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=sys.stderr,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("a piped process has an input and an output")
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            await process.stdout.readline()
            meter = Meter()
            process.stdin.write(b"go\n")
            wall_s = float(await process.stdout.readline())
            usage = meter.read()
    finally:
        process.kill()
        await process.wait()
    return {
        "what": what,
        "items": items,
        "per_s": round(items / wall_s),
        # The script is a child of this process.
        "cpu_ms_per_1000": round(sum(usage.cpu_s.values()) / items * 1e6, 1),
        "usage": usage,
    }
