"""HTTP: what operators hold back: pauses, and cancellations, which cannot be taken back."""

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter

from contracts.kinds import Kind
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
from libs.httpapi.problems import FieldError, Problem, invalid, standard_problem
from libs.httpapi.refusals import refusing
from libs.postgres.types import Pool
from services.planner.app import cancelling, pausing
from services.planner.domain.holds import Cancellation, Pause

_CANCELLATIONS = "cancellations"

AnyRequest = Request[Any, Any, Any]
KindName = Annotated[str, msgspec.Meta(description="A kind; absent: every kind.")]
Person = Annotated[UUID, msgspec.Meta(description="A person's id; absent: everyone.")]
Why = Annotated[
    str,
    msgspec.Meta(
        pattern=r"^[^\x00-\x1f\x7f]{1,200}$",
        description="For those who read the list; nothing personal.",
    ),
]
OnlyOpen = Annotated[
    bool, QueryParameter(name="open", description="Only pauses that are not resumed.")
]


class NewPause(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall not be sent until it is resumed: a person, a kind, or, with neither, anything."""

    person_id: Person | None = None
    kind: KindName | None = None
    reason: Why | None = None


class NewCancellation(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What shall never be sent: what falls on these local days, both included."""

    first_day: date
    last_day: date
    person_id: Person | None = None
    kind: KindName | None = None
    reason: Why | None = None


class _Position(msgspec.Struct, frozen=True):
    id: UUID


@post(
    "/v1/pauses",
    guards=[require("ops:pause")],
    responses=refusing({409: "`paused_already`: for another reason than the one given."}),
    status_code=200,
)
async def pause(
    data: JSONBody[NewPause],
    request: AnyRequest,
    *,
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
) -> Pause:
    """Hold back a person, a kind or everything, queued mails included; return the pause.

    A scope that is paused already keeps its pause and its reason: another one is refused. Pauses
    that overlap hold until each is resumed. What becomes too late meanwhile expires.
    """
    _refuse_unknown(data.kind, kinds)
    held, is_new = await pausing.pause(
        pool,
        person_id=data.person_id,
        kind=data.kind,
        reason=data.reason,
        now=clock.now(),
        by=request.auth.key_id,
    )
    if not is_new and data.reason not in {None, held.reason}:
        title = "This is paused already, for another reason"
        raise _held_already("paused_already", title, held.pause_id, held.reason)
    return held


@get("/v1/pauses", guards=[require("plans:read")])
async def list_pauses(
    pool: Provided[Pool],
    *,
    only_open: OnlyOpen = True,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[Pause]:
    """List pauses, the newest first: open ones, or with ``open=false`` all there ever were."""
    scope = f"pauses open={only_open}"
    before = decode_cursor(cursor, _Position, scope=scope).id if cursor else None
    items = await pausing.list_pauses(pool, only_open=only_open, before=before, limit=limit)
    if len(items) < limit:
        return Page(items, None)
    return Page(items, encode_cursor(_Position(items[-1].pause_id), scope=scope))


@post("/v1/pauses/{pause_id:uuid}/resume", guards=[require("ops:pause")], status_code=200)
async def resume(
    pause_id: FromPath[UUID], request: AnyRequest, pool: Provided[Pool], clock: Provided[Clock]
) -> Pause:
    """End a pause: what it held goes out at once, or at its instant. Repeating changes nothing."""
    ended = await pausing.resume(pool, pause_id, now=clock.now(), by=request.auth.key_id)
    if ended is None:
        raise standard_problem(404, "no such pause")
    return ended


@post(
    "/v1/cancellations",
    guards=[require("ops:pause")],
    responses=refusing({409: "`cancelled_already`: for another reason than the one given."}),
    status_code=200,
)
async def cancel(
    data: JSONBody[NewCancellation],
    request: AnyRequest,
    *,
    pool: Provided[Pool],
    clock: Provided[Clock],
    kinds: Provided[Mapping[str, Kind]],
) -> Cancellation:
    """Call off what falls on some days for a person, a kind or everyone; return the cancellation.

    It holds for what is queued and for what is planned later, and cannot be taken back: pause what
    may still be wanted. The same scope again changes nothing; with another reason it is refused.
    """
    _refuse_unknown(data.kind, kinds)
    if data.first_day > data.last_day:
        detail = "first_day lies after last_day"
        raise invalid([FieldError("/first_day", "wrong_order", detail)])
    cancellation, is_new = await cancelling.cancel(
        pool,
        person_id=data.person_id,
        kind=data.kind,
        first_day=data.first_day,
        last_day=data.last_day,
        reason=data.reason,
        now=clock.now(),
        by=request.auth.key_id,
    )
    if not is_new and data.reason not in {None, cancellation.reason}:
        title = "This is called off already, for another reason"
        known = cancellation.cancellation_id
        raise _held_already("cancelled_already", title, known, cancellation.reason)
    return cancellation


@get("/v1/cancellations", guards=[require("plans:read")])
async def list_cancellations(
    pool: Provided[Pool], *, limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[Cancellation]:
    """List cancellations, the newest first."""
    before = decode_cursor(cursor, _Position, scope=_CANCELLATIONS).id if cursor else None
    items = await cancelling.list_cancellations(pool, before=before, limit=limit)
    if len(items) < limit:
        return Page(items, None)
    last = _Position(items[-1].cancellation_id)
    return Page(items, encode_cursor(last, scope=_CANCELLATIONS))


def _held_already(code: str, title: str, hold_id: UUID, reason: str | None) -> Problem:
    detail = f"it holds by {hold_id}, " + (f"because: {reason}" if reason else "without a reason")
    return Problem(409, code, title, detail, members={"id": hold_id, "reason": reason})


def _refuse_unknown(kind: str | None, kinds: Mapping[str, Kind]) -> None:
    if kind is not None and kind not in kinds:
        known = f"known kinds are {', '.join(sorted(kinds))}"
        raise invalid([FieldError("/kind", "unknown_kind", known)])


ROUTES = Router(
    "/", route_handlers=[pause, list_pauses, resume, cancel, list_cancellations], tags=["holds"]
)
