"""Lists of people and the history of one, page by page."""

from collections.abc import Callable
from typing import Annotated, TypeVar
from uuid import UUID

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter

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
from services.user.adapters.reading import Filter
from services.user.app import read
from services.user.app.reader import Reader
from services.user.domain.dates import EARLIEST, month_day_number, parse_date
from services.user.domain.emails import address_of
from services.user.domain.errors import FieldRefusedError
from services.user.domain.locales import parse_zone
from services.user.domain.texts import parse_external_id, parse_name, search_key
from services.user.entrypoints.documentation import ReadOperation
from services.user.entrypoints.person_routes import Terms
from services.user.entrypoints.refusals import parameter_refused
from services.user.entrypoints.requests import AnyRequest, AsOf, past_instant, tolerated_lag_s
from services.user.entrypoints.views import EventView, PersonView, event_view, person_view

T = TypeVar("T")

Email = Annotated[str | None, QueryParameter(description="The whole address, in any case.")]
ExternalId = Annotated[str | None, QueryParameter(description="The client's own id.")]
NamePrefix = Annotated[
    str | None, QueryParameter(description="Beginning of the first name, whole name or last name.")
]
MonthDay = Annotated[str | None, QueryParameter(description="Day of the birthday, `MM-DD`.")]
Zone = Annotated[str | None, QueryParameter(description="The time zone, in any case.")]


class AfterPerson(msgspec.Struct, frozen=True):
    """Where a page of people begins."""

    person_id: UUID


class AfterVersion(msgspec.Struct, frozen=True):
    """Where a page of a history begins."""

    version: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]


@get("/v1/users", guards=[require("users:read")], operation_class=ReadOperation, tags=["people"])
async def list_people(
    *,
    request: AnyRequest,
    reader: Provided[Reader],
    terms: Provided[Terms],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    email: Email = None,
    external_id: ExternalId = None,
    name: NamePrefix = None,
    birthday: MonthDay = None,
    timezone: Zone = None,
) -> Page[PersonView]:
    """List living people, oldest first; several filters together narrow the list.

    Walking the pages meets everyone who lives throughout exactly once, whatever changes meanwhile.
    """
    wanted = Filter(
        email_key=_read("email", email, lambda text: address_of(text).key),
        external_id=_read("external_id", external_id, parse_external_id),
        name_prefix=_read("name", name, lambda text: search_key(parse_name(text))),
        birthday_month_day=_read("birthday", birthday, _parse_month_day),
        timezone=_read("timezone", timezone, parse_zone),
    )
    scope = f"people {msgspec.structs.astuple(wanted)}"
    after = decode_cursor(cursor, AfterPerson, scope=scope).person_id if cursor else None
    page = await reader.ask(
        lambda store: read.list_living(store, wanted, after=after, limit=limit),
        lag_s=tolerated_lag_s(request),
    )
    following = None
    if page.next_after is not None:
        following = encode_cursor(AfterPerson(page.next_after), scope=scope)
    views = [person_view(person, planner_url=terms.planner_url) for person in page.people]
    return Page(views, following)


@get(
    "/v1/users/{person_id:uuid}/history",
    guards=[require("users:read")],
    operation_class=ReadOperation,
    tags=["people"],
)
async def list_history(
    *,
    request: AnyRequest,
    person_id: FromPath[UUID],
    reader: Provided[Reader],
    clock: Provided[Clock],
    limit: Limit = DEFAULT_LIMIT,
    cursor: CursorText = None,
    as_of: AsOf = None,
) -> Page[EventView]:
    """List what happened to a person, up to `as_of`, oldest first; deleted and erased ones too."""
    until = None if as_of is None else past_instant(as_of, now=clock.now())
    scope = f"history {person_id} {until}"
    after = decode_cursor(cursor, AfterVersion, scope=scope).version if cursor else 0
    page = await reader.ask(
        lambda store: read.get_history(
            store, person_id, after_version=after, limit=limit, until=until
        ),
        lag_s=tolerated_lag_s(request),
    )
    following = None
    if page.next_after is not None:
        following = encode_cursor(AfterVersion(page.next_after), scope=scope)
    return Page([event_view(entry) for entry in page.entries], following)


SEARCH_ROUTES: list[HTTPRouteHandler] = [list_people, list_history]


def _read(parameter: str, value: str | None, parse: Callable[[str], T]) -> T | None:
    if value is None:
        return None
    try:
        return parse(value)
    except FieldRefusedError as error:
        raise parameter_refused(parameter, error) from error


def _parse_month_day(text: str) -> int:
    return month_day_number(parse_date("--" + text.removeprefix("--"), today=EARLIEST))
