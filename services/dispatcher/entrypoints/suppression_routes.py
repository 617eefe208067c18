"""HTTP: addresses that get no mail."""

from typing import Annotated

import msgspec
from litestar import Router, delete, get, put
from litestar.params import JSONBody

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
from libs.httpapi.problems import standard_problem
from libs.postgres.types import Pool
from services.dispatcher.adapters import suppressions
from services.dispatcher.adapters.suppressions import Suppression
from services.dispatcher.domain.address import normal_address

_LIST = "suppressions"

Email = Annotated[str, msgspec.Meta(pattern=r"^[^@\s]+@[^@\s]+$", max_length=254)]
Reason = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


class NewSuppression(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that shall get no mail, with a reason word such as ``bounced``."""

    email: Email
    reason: Reason


class Address(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An address that may get mail again."""

    email: Email


class _Position(msgspec.Struct, frozen=True):
    address: str


@get("/v1/suppressions", guards=[require("deliveries:read")], tags=["suppressions"])
async def list_suppressions(
    pool: Provided[Pool], limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[Suppression]:
    """List suppressed addresses in their normal form."""
    after = decode_cursor(cursor, _Position, scope=_LIST).address if cursor else ""
    async with pool.acquire() as connection:
        items = await suppressions.list_suppressions(connection, after=after, limit=limit)
    is_last = len(items) < limit
    return Page(
        items, None if is_last else encode_cursor(_Position(items[-1].address), scope=_LIST)
    )


@put("/v1/suppressions", guards=[require("ops:redrive")], tags=["suppressions"])
async def put_suppression(
    data: JSONBody[NewSuppression], pool: Provided[Pool], clock: Provided[Clock]
) -> Suppression:
    """Let no mail go to an address from now on, queued ones included."""
    async with pool.acquire() as connection:
        return await suppressions.put_suppression(
            connection, normal_address(data.email), reason=data.reason, now=clock.now()
        )


@delete("/v1/suppressions", guards=[require("ops:redrive")], status_code=204, tags=["suppressions"])
async def delete_suppression(
    data: JSONBody[Address], pool: Provided[Pool], clock: Provided[Clock]
) -> None:
    """Let mail go to an address again. It is named in the body: addresses do not belong in URLs."""
    async with pool.acquire() as connection:
        was_there = await suppressions.delete_suppression(
            connection, normal_address(data.email), now=clock.now()
        )
    if not was_there:
        raise standard_problem(404, "this address is not suppressed")


ROUTES = Router("/", route_handlers=[list_suppressions, put_suppression, delete_suppression])
