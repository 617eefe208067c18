"""HTTP: what was too late to be sent, for a person to look at."""

from datetime import date, datetime
from uuid import UUID

import msgspec
from litestar import Router, get
from litestar.params import FromPath

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
from libs.ids import occurrence_key
from libs.postgres.types import Pool
from services.planner.adapters.accounts import Occurrence
from services.planner.app import questions

_NOWHERE = UUID(int=0)


class Expired(msgspec.Struct, frozen=True, kw_only=True):
    """An occurrence that could not be sent by ``expires_at``.

    ``reason`` is ``too_late``, or ``paused`` where a pause held it all the time. ``release`` counts
    how often it was requested before.
    """

    key: str
    person_id: UUID
    kind: str
    due_at: datetime
    expires_at: datetime
    reason: str
    release: int


class _Position(msgspec.Struct, frozen=True):
    person_id: UUID
    kind: str


@get("/v1/plans/{local_day:date}/expired", guards=[require("plans:read")])
async def list_expired(
    local_day: FromPath[date],
    pool: Provided[Pool],
    *,
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
) -> Page[Expired]:
    """List what of a day expired, by person."""
    scope = f"expired {local_day}"
    after = decode_cursor(cursor, _Position, scope=scope) if cursor else _Position(_NOWHERE, "")
    rows = await questions.list_expired(
        pool, local_day, after=(after.person_id, after.kind), limit=limit
    )
    items = [_of_row(row) for row in rows]
    if len(items) < limit:
        return Page(items, None)
    return Page(items, encode_cursor(_Position(items[-1].person_id, items[-1].kind), scope=scope))


def _of_row(row: Occurrence) -> Expired:
    return Expired(
        key=occurrence_key(row.local_day, row.person_id, row.kind),
        person_id=row.person_id,
        kind=row.kind,
        due_at=row.due_at,
        expires_at=row.expires_at,
        reason=row.reason or "too_late",
        release=row.release,
    )


ROUTES = Router("/", route_handlers=[list_expired], tags=["plans"])
