"""HTTP: what is owed on a day, and what became of it."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Annotated

import msgspec
from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.problems import FieldError, invalid, standard_problem
from libs.postgres.types import Pool
from services.planner.adapters.accounts import InstantProgress
from services.planner.app import questions
from services.planner.domain.account import Entry, Totals, totals
from services.planner.domain.state import State

MAX_DAYS = 92


class LedgerLine(msgspec.Struct, frozen=True):
    """How many occurrences of a kind are in a state for a reason."""

    kind: str
    state: State
    reason: str | None
    count: int


class PlanDay(msgspec.Struct, frozen=True):
    """One local day: how far it has come, and its account."""

    local_day: date
    opened_at: datetime
    planned_at: datetime | None
    closed_at: datetime | None
    totals: Totals
    ledger: list[LedgerLine]


class DayTotals(msgspec.Struct, frozen=True):
    """One local day's account."""

    local_day: date
    totals: Totals


class PlanDays(msgspec.Struct, frozen=True):
    """The days of a range on which anything is owed, in order."""

    days: list[DayTotals]


class DayProgress(msgspec.Struct, frozen=True):
    """The instants of a local day in order, with what has become of each by ``now``."""

    local_day: date
    now: datetime
    instants: list[InstantProgress]


FirstDay = Annotated[date, QueryParameter(name="from", description="First local day.")]
LastDay = Annotated[date, QueryParameter(name="to", description="Last local day.")]


@get("/v1/plans", guards=[require("plans:read")])
async def list_plans(first: FirstDay, last: LastDay, pool: Provided[Pool]) -> PlanDays:
    """List the accounts of the days from one to another, at most 92."""
    if first > last:
        raise invalid([FieldError(None, "wrong_order", "from lies after to", parameter="from")])
    if last - first >= timedelta(days=MAX_DAYS):
        detail = f"at most {MAX_DAYS} days at a time"
        raise invalid([FieldError(None, "too_many", detail, parameter="to")])
    by_day: dict[date, list[Entry]] = defaultdict(list)
    for entry in await questions.read_days(pool, first=first, last=last):
        by_day[entry.local_day].append(entry)
    return PlanDays([DayTotals(day, totals(entries)) for day, entries in sorted(by_day.items())])


@get("/v1/plans/{local_day:date}", guards=[require("plans:read")])
async def get_plan(local_day: FromPath[date], pool: Provided[Pool]) -> PlanDay:
    """Return a day's account: owed is the sum of all that became of it, by kind and reason."""
    account = await questions.read_day(pool, local_day)
    progress = account.progress
    if progress is None:
        raise standard_problem(404, "this day is not open yet, or long forgotten")
    return PlanDay(
        local_day=local_day,
        opened_at=progress.opened_at,
        planned_at=progress.planned_at,
        closed_at=progress.closed_at,
        totals=totals(account.entries),
        ledger=[LedgerLine(one.kind, one.state, one.reason, one.count) for one in account.entries],
    )


@get("/v1/plans/{local_day:date}/progress", guards=[require("plans:read")])
async def get_progress(
    local_day: FromPath[date], pool: Provided[Pool], clock: Provided[Clock]
) -> DayProgress:
    """Return how far each instant of a day has come: 09:00 as it sweeps around the world."""
    return DayProgress(local_day, clock.now(), await questions.read_progress(pool, local_day))


ROUTES = Router("/", route_handlers=[list_plans, get_plan, get_progress], tags=["plans"])
