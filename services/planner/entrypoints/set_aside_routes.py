"""HTTP: messages nobody could deal with, and how they are sent back."""

from uuid import UUID

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath

from libs.broker import Publisher, PublishError
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
from libs.httpapi.problems import standard_problem
from libs.postgres.types import Pool
from services.planner.adapters.set_aside import Listed
from services.planner.app.redriving import list_aside, redrive

_LIST = "set-aside"


class Redriven(msgspec.Struct, frozen=True):
    """A message that is in its queue again."""

    id: UUID


class _Position(msgspec.Struct, frozen=True):
    id: UUID


@get("/v1/set-aside", guards=[require("plans:read")])
async def list_set_aside(
    pool: Provided[Pool], limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[Listed]:
    """List messages that wait for a person: what we refused, and what the broker gave up."""
    after = decode_cursor(cursor, _Position, scope=_LIST).id if cursor else None
    items = await list_aside(pool, after=after, limit=limit)
    is_last = len(items) < limit
    return Page(items, None if is_last else encode_cursor(_Position(items[-1].id), scope=_LIST))


@post("/v1/set-aside/{aside_id:uuid}/redrive", guards=[require("ops:redrive")], status_code=200)
async def redrive_set_aside(
    aside_id: FromPath[UUID], pool: Provided[Pool], publisher: Provided[Publisher]
) -> Redriven:
    """Send a waiting message back to its queue, after its cause was mended."""
    try:
        was_waiting = await redrive(pool, publisher, aside_id)
    except PublishError as error:
        raise standard_problem(503, "the broker did not confirm", Retry_After="2") from error
    if not was_waiting:
        raise standard_problem(404, "no such message waits")
    return Redriven(aside_id)


ROUTES = Router("/", route_handlers=[list_set_aside, redrive_set_aside], tags=["set aside"])
