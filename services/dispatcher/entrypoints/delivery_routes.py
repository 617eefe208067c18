"""HTTP: a day's totals, one occurrence's story, what is unknown and how it is settled."""

from datetime import date, datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
)
from libs.httpapi.problems import Problem, standard_problem
from libs.httpapi.refusals import refusing
from libs.ids import occurrence_key
from libs.postgres.types import Pool
from services.dispatcher.adapters import ledger
from services.dispatcher.adapters.ledger import Step, Total, UnknownOutcome
from services.dispatcher.app.settle_by_hand import Decision, NotUnknownError, settle_by_hand
from services.dispatcher.domain.greeting import Greetings

_UNKNOWN = "unknown"
_NOWHERE = UUID(int=0)


class DayTotals(msgspec.Struct, frozen=True):
    """How one local day's deliveries stand."""

    local_day: date
    occurrences: int
    totals: list[Total]


class Story(msgspec.Struct, frozen=True):
    """Everything that was recorded about one occurrence, in order."""

    occurrence: str
    steps: list[Step]


class Settlement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An operator's word on an unknown delivery.

    ``accepted`` closes it as delivered, ``resend`` has it sent once more.
    """

    outcome: Annotated[Decision, msgspec.Meta(description="accepted or resend")]


class Settled(msgspec.Struct, frozen=True):
    """What was recorded."""

    occurrence: str
    release: int
    outcome: str
    recorded_at: datetime


class _Position(msgspec.Struct, frozen=True):
    local_day: date
    person_id: UUID
    kind: str


@get("/v1/deliveries/{local_day:date}", guards=[require("deliveries:read")], tags=["deliveries"])
async def sum_day(local_day: FromPath[date], pool: Provided[Pool]) -> DayTotals:
    """Count one local day's deliveries by kind, outcome and reason; ``attempted`` is in flight."""
    async with pool.acquire() as connection:
        totals = await ledger.sum_day(connection, local_day)
    return DayTotals(local_day, sum(total.occurrences for total in totals), totals)


@get(
    "/v1/deliveries/{local_day:date}/{person_id:uuid}/{kind:str}",
    guards=[require("deliveries:read")],
    tags=["deliveries"],
)
async def tell_story(
    local_day: FromPath[date], person_id: FromPath[UUID], kind: FromPath[str], pool: Provided[Pool]
) -> Story:
    """Tell what happened to one occurrence: claim, outcome and settlement of every attempt."""
    async with pool.acquire() as connection:
        steps = await ledger.list_story(connection, local_day, person_id, kind)
    if not steps:
        raise standard_problem(404, "this occurrence was never attempted")
    return Story(occurrence_key(local_day, person_id, kind), steps)


@get(
    "/v1/unknown",
    guards=[require("deliveries:read")],
    summary="List deliveries of unknown fate",
    tags=["deliveries"],
)
async def list_unknown(
    pool: Provided[Pool], limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[UnknownOutcome]:
    """List deliveries of which nobody knows whether the provider took them, the oldest first."""
    after = decode_cursor(cursor, _Position, scope=_UNKNOWN) if cursor else None
    async with pool.acquire() as connection:
        items = await ledger.list_unknown(
            connection,
            after=(after.local_day, after.person_id, after.kind)
            if after
            else (date.min, _NOWHERE, ""),
            limit=limit,
        )
    return Page(items, _next(items, limit))


@post(
    "/v1/deliveries/{local_day:date}/{person_id:uuid}/{kind:str}/settle",
    guards=[require("ops:redrive")],
    responses=refusing({409: "`not_unknown`: its fate is known; look at its story."}),
    status_code=200,
    tags=["deliveries"],
)
async def settle(
    *,
    local_day: FromPath[date],
    person_id: FromPath[UUID],
    kind: FromPath[str],
    data: JSONBody[Settlement],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
) -> Settled:
    """Decide what became of an unknown delivery; the planner hears of it like of any outcome."""
    try:
        settlement = await settle_by_hand(
            pool, greetings, (local_day, person_id, kind), data.outcome, now=clock.now()
        )
    except NotUnknownError as error:
        raise Problem(
            409, "not_unknown", "Nothing is unknown about this delivery", "look at its story"
        ) from error
    return Settled(
        settlement.occurrence, settlement.release, settlement.type, settlement.recorded_at
    )


def _next(items: list[UnknownOutcome], limit: int) -> str | None:
    if len(items) < limit:
        return None
    last = items[-1]
    return encode_cursor(_Position(last.local_day, last.person_id, last.kind), scope=_UNKNOWN)


ROUTES = Router("/", route_handlers=[sum_day, tell_story, list_unknown, settle])
