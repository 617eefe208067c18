"""HTTP: why a person is greeted, or is not."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from contracts.kinds import Kind
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.problems import FieldError, invalid, standard_problem
from libs.localtime import TZDATA_VERSION, local_day_at, local_time_at
from libs.postgres.types import Pool
from services.planner.app import questions
from services.planner.app.questions import Explanation
from services.planner.domain.explanation import smallest_change
from services.planner.domain.state import State

KindName = Annotated[str, QueryParameter(name="kind", description="Kind of occasion.")]
Year = Annotated[
    int | None,
    QueryParameter(
        name="year", ge=1900, le=2999, description="Year of the local day; by default this one."
    ),
]


class RuleView(msgspec.Struct, frozen=True):
    """One rule: its word for a refusal, whether it held, and what it looked at."""

    rule: str
    holds: bool
    inputs: dict[str, str]


class ExplanationView(msgspec.Struct, frozen=True, kw_only=True):
    """Why an occurrence is owed, or is not.

    ``rules`` are in the order they were asked, up to the first that refused: ``reason`` is its
    word, ``change`` the smallest change that would make it yes. ``state`` is what the plan holds
    for that day, None where it holds nothing. Without person or date there are no instants.
    """

    person_id: UUID
    person_version: int
    kind: str
    local_day: date
    zone: str
    tzdata: str
    due_at: datetime | None
    due_at_local: datetime | None
    is_owed: bool
    reason: str | None
    change: str | None
    rules: list[RuleView]
    state: State | None
    state_reason: str | None


@get("/v1/users/{user_id:uuid}/explain", guards=[require("plans:read")])
async def explain(
    user_id: FromPath[UUID],
    kind_name: KindName,
    *,
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
    year: Year = None,
) -> ExplanationView:
    """Explain a person's occurrence of a kind in a year by the rule that plans it."""
    kind = kinds.get(kind_name)
    if kind is None:
        known = f"known kinds are {', '.join(sorted(kinds))}"
        raise invalid([FieldError(None, "unknown_kind", known, parameter="kind")])
    asked = year or local_day_at(clock.now(), "UTC").year
    found = await questions.explain(pool, user_id, kind, year=asked)
    if found is None:
        raise standard_problem(404, "nobody bears this id, or the planner has not heard of it yet")
    return _view(found, kind)


def _view(found: Explanation, kind: Kind) -> ExplanationView:
    person, decision, planned = found.recipient, found.decision, found.planned
    due_at = decision.due_at
    return ExplanationView(
        person_id=person.person_id,
        person_version=person.version,
        kind=kind.name,
        local_day=decision.local_day,
        zone=person.zone,
        tzdata=TZDATA_VERSION,
        due_at=due_at,
        due_at_local=None if due_at is None else local_time_at(due_at, person.zone),
        is_owed=decision.is_owed,
        reason=decision.reason,
        change=smallest_change(decision, kind),
        rules=[RuleView(rule.reason, rule.holds, rule.inputs) for rule in decision.rules],
        state=None if planned is None else planned.state,
        state_reason=None if planned is None else planned.reason,
    )


ROUTES = Router("/", route_handlers=[explain])
