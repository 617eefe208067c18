"""Measures every hop, in the order in which one feeds the next."""

import contextlib
import os
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Collection

from tests.guard.cost import Cost
from tests.guard.counting import count, show, weigh
from tests.guard.dispatcher_hops import dispatcher_hops
from tests.guard.hop import BATCHES, COUNTED, TIMED, WARMING, Hop, Work
from tests.guard.planner_hops import planner_hops
from tests.guard.reference import Reference
from tests.guard.timing import take_time
from tests.guard.user_hops import user_hops

HOPS = {
    "user": ("import", "register"),
    "planner": ("plan", "release", "accept", "project"),
    "dispatcher": ("contacts", "deliver", "relay"),
}
"""The hops of each service, in their order."""


async def measure(services: Collection[str] = tuple(HOPS)) -> dict[str, Cost]:
    """Return what each hop of ``services`` costs."""
    costs: dict[str, Cost] = {}
    for service in services:
        async with contextlib.aclosing(_hops_of(service)) as hops:
            async for hop in hops:
                print(f"{hop.name} …", file=sys.stderr, flush=True)
                costs[hop.name] = await _measure(hop)
    return costs


async def profile(name: str) -> None:
    """Print where the hop ``name`` spends its calls; those before it only feed it."""
    async with contextlib.aclosing(_hops_of(service_of(name))) as hops:
        async for hop in hops:
            if hop.name == name:
                await show(hop, _works(hop, 0, BATCHES))
                return
            async for work in _works(hop, 0, BATCHES):
                await work()


def service_of(hop: str) -> str:
    """Return the service a hop belongs to."""
    return next(service for service, hops in HOPS.items() if hop in hops)


def _hops_of(service: str) -> AsyncGenerator[Hop, None]:
    pg_url, amqp_url, amqp_api = (
        os.environ[f"JUBILEE_TEST_{name}"] for name in ("DATABASE_URL", "BROKER_URL", "BROKER_API")
    )
    if service == "user":
        return user_hops(pg_url)
    hops = planner_hops if service == "planner" else dispatcher_hops
    return hops(pg_url, amqp_url, amqp_api)


async def _measure(hop: Hop) -> Cost:
    reference = Reference(hop.pool)
    await reference.prepare()
    held = await weigh(hop.pool)
    async for work in _works(hop, 0, WARMING):
        await work()
        await reference.compute()
        await reference.serve()
    # At this one moment in every run: plans follow what the server knows of its tables.
    await hop.pool.execute("ANALYZE")
    counts = await count(hop, _works(hop, WARMING, COUNTED))
    cpu = await take_time(hop, _works(hop, WARMING + COUNTED, TIMED), reference)
    # Over all batches: tables and indexes grow by pages, and many of them at once.
    grown = await weigh(hop.pool) - held
    return Cost(counts, cpu, round(grown / BATCHES / hop.items, 1))


async def _works(hop: Hop, first: int, batches: int) -> AsyncIterator[Work]:
    for number in range(first, first + batches):
        yield await hop.prepare(number)
