"""HTTP: why a person is greeted, or is not."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath, QueryParameter

from contracts.kinds import Kind
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.problems import FieldError, invalid, standard_problem
from libs.localtime import TZDATA_VERSION, aliased_zone, local_time_at
from libs.postgres.types import Pool
from services.planner.app import questions
from services.planner.app.questions import Explanation
from services.planner.domain.decision import Decision
from services.planner.domain.explanation import Chosen
from services.planner.domain.recipient import Recipient
from services.planner.domain.state import State
from services.planner.domain.suggestion import Action, Suggestion

KindName = Annotated[str, QueryParameter(name="kind", description="Kind of occasion.")]
FIRST_YEAR, LAST_YEAR = 1900, 2999

Year = Annotated[
    int | None,
    QueryParameter(
        name="year",
        ge=FIRST_YEAR,
        le=LAST_YEAR,
        description="Year of the local day: the first day in it that is not over, else its last.",
    ),
]
Day = Annotated[
    date | None,
    QueryParameter(
        name="day",
        description="The local day; without day and year it is today's occasion, or the next.",
    ),
]


class RuleView(msgspec.Struct, frozen=True):
    """One rule: its name, its word for a refusal, whether it held, and what it looked at."""

    rule: str
    reason: str
    holds: bool
    inputs: dict[str, str]


class StepView(msgspec.Struct, frozen=True):
    """One thing to do. ``fields`` is a merge patch for the person, empty where it is none."""

    action: Action
    text: str
    fields: dict[str, Any]


class ChangeView(msgspec.Struct, frozen=True):
    """The smallest change that makes ``local_day`` a yes: all ``steps``; none where nothing can."""

    is_possible: bool
    text: str
    local_day: date | None
    steps: list[StepView]


class NextView(msgspec.Struct, frozen=True):
    """The first occurrence due from now on, whether or not it is owed."""

    local_day: date
    due_at: datetime
    due_at_local: datetime
    is_owed: bool
    reason: str | None


class ExplanationView(msgspec.Struct, frozen=True, kw_only=True):
    """Why an occurrence is owed, or is not.

    ``chosen`` says how ``local_day`` was found; of a year there may be several (``days_in_year``).
    ``rules`` are in the order they were asked, up to the first that refused: ``rule`` is its name,
    ``reason`` its word. ``state`` is what the plan holds for that day, None where it holds nothing.
    Without person, date or day there are no instants; of who was erased nothing is known.
    ``canonical_zone`` is what ``zone`` is another name of, itself where it is no alias.
    """

    person_id: UUID
    person_version: int
    kind: str
    local_day: date | None
    chosen: Chosen
    days_in_year: int | None
    zone: str | None
    canonical_zone: str | None
    tzdata: str
    due_at: datetime | None
    due_at_local: datetime | None
    expires_at: datetime | None
    is_owed: bool
    rule: str | None
    reason: str | None
    change: ChangeView | None
    rules: list[RuleView]
    next: NextView | None
    state: State | None
    state_reason: str | None


@get("/v1/users/{person_id:uuid}/explain", guards=[require("plans:read")])
async def explain(
    person_id: FromPath[UUID],
    kind_name: KindName,
    *,
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
    year: Year = None,
    day: Day = None,
) -> ExplanationView:
    """Explain a person's occurrence of a kind by the rule that plans it."""
    kind = _known(kind_name, kinds)
    if day is not None and year is not None:
        detail = "give a day or a year, not both"
        raise invalid([FieldError(None, "not_together", detail, parameter="day")])
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        detail = f"years are {FIRST_YEAR} to {LAST_YEAR}"
        raise invalid([FieldError(None, "out_of_range", detail, parameter="day")])
    found = await questions.explain(pool, person_id, kind, day=day, year=year, now=clock.now())
    if found is None:
        raise standard_problem(404, "nobody bears this id, or the planner has not heard of it yet")
    return _view(found)


def _known(name: str, kinds: Mapping[str, Kind]) -> Kind:
    kind = kinds.get(name)
    if kind is None:
        known = f"known kinds are {', '.join(sorted(kinds))}"
        raise invalid([FieldError(None, "unknown_kind", known, parameter="kind")])
    return kind


def _view(found: Explanation) -> ExplanationView:
    person, decision, planned = found.recipient, found.decision, found.planned
    refusal, due_at = decision.refusal, decision.due_at
    return ExplanationView(
        person_id=person.person_id,
        person_version=person.version,
        kind=decision.kind,
        local_day=decision.local_day,
        chosen=found.choice.chosen,
        days_in_year=found.choice.days_in_year,
        zone=None if person.is_erased else person.zone,
        canonical_zone=None if person.is_erased else aliased_zone(person.zone),
        tzdata=TZDATA_VERSION,
        due_at=due_at,
        due_at_local=None if due_at is None else local_time_at(due_at, person.zone),
        expires_at=decision.expires_at,
        is_owed=decision.is_owed,
        rule=None if refusal is None else refusal.name,
        reason=decision.reason,
        change=None if found.suggestion is None else _change(found.suggestion),
        rules=[
            RuleView(rule.name, rule.reason, rule.holds, rule.inputs) for rule in decision.rules
        ],
        next=None if found.upcoming is None else _next(found.upcoming, person),
        state=None if planned is None else planned.state,
        state_reason=None if planned is None else planned.reason,
    )


def _change(suggestion: Suggestion) -> ChangeView:
    steps = [StepView(step.action, step.text, step.fields) for step in suggestion.steps]
    return ChangeView(suggestion.is_possible, suggestion.text, suggestion.local_day, steps)


def _next(upcoming: Decision, person: Recipient) -> NextView:
    local_day, due_at, _, _ = upcoming.dated()
    local = local_time_at(due_at, person.zone)
    return NextView(local_day, due_at, local, upcoming.is_owed, upcoming.reason)


ROUTES = Router("/", route_handlers=[explain], tags=["occurrences"])
