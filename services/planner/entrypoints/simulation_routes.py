"""HTTP: what a range of days will bring, as things are and as they might be."""

import asyncio
from collections.abc import Mapping
from datetime import date, datetime

import msgspec
from litestar import Router, post
from litestar.params import JSONBody

from contracts.kinds import Kind
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.problems import invalid, standard_problem
from libs.localtime import TZDATA_VERSION
from libs.postgres.types import Pool
from services.planner.app.simulating import simulate
from services.planner.domain.simulation import Difference, Outlook, Per
from services.planner.entrypoints.simulation_requests import (
    NewSimulation,
    ZoneReleases,
    mistakes,
    question_of,
)

BUSY_RETRY_S = 5
"""When to ask again while another simulation is under way."""


class SimulationView(msgspec.Struct, frozen=True, kw_only=True):
    """What the range will bring by what is known ``now``.

    ``as_is`` is what happens if nothing changes; ``what_if`` and its ``difference`` are there where
    they were asked for.
    """

    first_day: date = msgspec.field(name="from")
    last_day: date = msgspec.field(name="to")
    per: Per
    now: datetime
    tzdata: str
    tzdata_what_if: str | None
    people: int
    kinds: list[str]
    as_is: Outlook
    what_if: Outlook | None
    difference: Difference | None


class OneAtATime:
    """Lets one simulation of a process run; it would take the connections of the rest."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        if self._lock.locked():
            detail = "another simulation is under way"
            raise standard_problem(503, detail, Retry_After=str(BUSY_RETRY_S))
        await self._lock.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


@post(
    "/v1/simulations",
    guards=[require("plans:read")],
    status_code=200,
    summary="Simulate what a range of days will bring, and what if",
)
async def simulate_days(
    data: JSONBody[NewSimulation],
    *,
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
    zone_releases: Provided[ZoneReleases],
    simulations: Provided[OneAtATime],
) -> SimulationView:
    """Simulate what a range of days will bring and, beside it, what would be if. It cannot write.

    Everybody is asked about by the rule that plans; one simulation of a process runs at a time.
    """
    if errors := list(mistakes(data, kinds, zone_releases)):
        raise invalid(errors)
    question = question_of(data, kinds, zone_releases)
    now = clock.now()
    async with simulations:
        found = await simulate(pool, question, now=now)
    return SimulationView(
        first_day=data.first_day,
        last_day=data.last_day,
        per=data.per,
        now=now,
        tzdata=TZDATA_VERSION,
        tzdata_what_if=None if data.what_if is None else data.what_if.tzdata or TZDATA_VERSION,
        people=found.people,
        kinds=sorted(question.as_is.kinds),
        as_is=found.as_is,
        what_if=found.what_if,
        difference=found.difference,
    )


ROUTES = Router("/", route_handlers=[simulate_days], tags=["simulations"])
