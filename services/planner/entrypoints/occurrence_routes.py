"""HTTP: one person's occurrences, past, planned and next."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath

from contracts.kinds import Kind
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.problems import standard_problem
from libs.ids import occurrence_key
from libs.localtime import local_time_at
from libs.postgres.types import Pool
from services.planner.app import questions
from services.planner.app.questions import Judged, Occasions
from services.planner.domain.decision import Decision
from services.planner.domain.recipient import Recipient
from services.planner.domain.state import PENDING, State

Expectation = Literal["expected", "not_owed"]


class OccurrenceView(msgspec.Struct, frozen=True, kw_only=True):
    """One occurrence.

    ``state`` is the plan's, or, where the day is not planned yet, ``expected`` or ``not_owed``.
    ``is_owed`` is what its explanation says now; ``reason`` tells why the state is what it is, or,
    while nothing is decided, why it will not be owed.
    ``due_at_local`` is what clocks show there at ``due_at``. ``lateness_s`` is how long after its
    instant the provider took the mail.
    """

    key: str
    kind: str
    local_day: date
    zone: str
    due_at: datetime
    due_at_local: datetime
    expires_at: datetime
    state: State | Expectation
    is_owed: bool
    reason: str | None = None
    release: int = 0
    years: int | None = None
    period: date
    settled_at: datetime | None = None
    lateness_s: float | None = None


class OccurrencesView(msgspec.Struct, frozen=True):
    """A person's occurrences, the latest first. ``person_version`` is what they are made from."""

    person_id: UUID
    person_version: int
    items: list[OccurrenceView]


@get("/v1/users/{person_id:uuid}/occurrences", guards=[require("plans:read")])
async def list_occurrences(
    person_id: FromPath[UUID],
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
) -> OccurrencesView:
    """List a person's occurrences: 400 days back, what is planned, and the next of each kind."""
    occasions = await questions.read_occasions(pool, person_id, kinds, now=clock.now())
    if occasions is None:
        raise standard_problem(404, "nobody bears this id, or the planner has not heard of it yet")
    person = occasions.recipient
    return OccurrencesView(person.person_id, person.version, _views(occasions))


def _views(occasions: Occasions) -> list[OccurrenceView]:
    views = [_of_row(row) for row in occasions.planned]
    views += [_of_decision(one, occasions.recipient) for one in occasions.upcoming]
    return sorted(views, key=lambda view: (view.local_day, view.kind), reverse=True)


def _of_row(judged: Judged) -> OccurrenceView:
    row, decision = judged.row, judged.decision
    lateness_s = None
    if row.state == "accepted" and row.settled_at is not None:
        lateness_s = (row.settled_at - row.due_at).total_seconds()
    return OccurrenceView(
        key=occurrence_key(row.local_day, row.person_id, row.kind),
        kind=row.kind,
        local_day=row.local_day,
        zone=row.zone,
        due_at=row.due_at,
        due_at_local=local_time_at(row.due_at, row.zone),
        expires_at=row.expires_at,
        state=row.state,
        is_owed=decision is not None and decision.is_owed,
        reason=_reason(judged),
        release=row.release,
        years=row.years,
        period=row.period,
        settled_at=row.settled_at,
        lateness_s=lateness_s,
    )


def _reason(judged: Judged) -> str | None:
    row, decision = judged.row, judged.decision
    refused = None if decision is None else decision.reason
    return refused or row.reason if row.state in PENDING else row.reason


def _of_decision(decision: Decision, recipient: Recipient) -> OccurrenceView:
    local_day, due_at, expires_at, period = decision.dated()
    return OccurrenceView(
        key=occurrence_key(local_day, recipient.person_id, decision.kind),
        kind=decision.kind,
        local_day=local_day,
        zone=recipient.zone,
        due_at=due_at,
        due_at_local=local_time_at(due_at, recipient.zone),
        expires_at=expires_at,
        state="expected" if decision.is_owed else "not_owed",
        is_owed=decision.is_owed,
        reason=decision.reason,
        years=decision.years,
        period=period,
    )


ROUTES = Router("/", route_handlers=[list_occurrences], tags=["occurrences"])
