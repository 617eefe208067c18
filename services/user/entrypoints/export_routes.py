"""Everybody in one stream, and everything about one person."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.refusals import refusing
from services.user.app import export
from services.user.app.export import Kept
from services.user.app.reader import Reader
from services.user.domain.person import Person
from services.user.entrypoints import csv_rows
from services.user.entrypoints.documentation import (
    CSV,
    NDJSON,
    ExportOperation,
    PersonExportOperation,
)
from services.user.entrypoints.person_routes import Terms
from services.user.entrypoints.refusals import ERASED
from services.user.entrypoints.requests import AnyRequest, tolerated_lag_s
from services.user.entrypoints.views import (
    EventView,
    Links,
    event_view,
    exported_person,
    links_of,
)

Format = Literal["ndjson", "csv"]
FormatText = Annotated[
    Format | None,
    QueryParameter(name="format", description="Beats the `Accept` header; NDJSON by default."),
]
AfterId = Annotated[
    UUID | None, QueryParameter(description="The id on the last line you have: go on behind it.")
]

_encoder = msgspec.json.Encoder()


class RequestView(msgspec.Struct, frozen=True):
    """An idempotency key that stands for a write to the person."""

    caller: str
    key: str
    version: int
    recorded_at: datetime


class KeptView(msgspec.Struct, frozen=True):
    """The beginning of a person's export; the events follow."""

    id: UUID
    status: str
    exported_at: datetime
    person: Person
    requests: list[RequestView]
    links: Links


class KeptEvent(msgspec.Struct, frozen=True):
    """One event, and the person after it."""

    event: EventView
    person: Person | None


@get(
    "/v1/users/export",
    guards=[require("users:export")],
    operation_class=ExportOperation,
    summary="Export everybody as NDJSON or CSV",
    tags=["people"],
)
async def export_people(
    *,
    request: AnyRequest,
    reader: Provided[Reader],
    form: FormatText = None,
    after: AfterId = None,
) -> Stream:
    """Stream all living people in the order of their ids, a line each.

    Everyone who lives throughout appears once, as of the moment their line was read. An export
    that was cut off goes on with `after`. The CSV can be imported again; in it a cell that a
    spreadsheet would take for a formula stands behind an apostrophe, which an import takes away.
    """
    people = export.everybody(reader, after=after, lag_s=tolerated_lag_s(request))
    # The first page is read before the answer begins: a database that is away gives 503.
    first: list[Person] = await anext(people, [])
    chosen = form or _accepted(request)
    headers = {
        "Cache-Control": "no-store",
        "Content-Disposition": f'attachment; filename="people.{chosen}"',
    }
    if chosen == "csv":
        return Stream(_csv(first, people), media_type=f"{CSV}; charset=utf-8", headers=headers)
    return Stream(_ndjson(first, people), media_type=NDJSON, headers=headers)


@get(
    "/v1/users/{person_id:uuid}/export",
    guards=[require("users:export")],
    operation_class=PersonExportOperation,
    media_type="application/json",
    responses=refusing({410: ERASED}),
    summary="Export everything kept about a person",
    tags=["people"],
)
async def export_person(
    *,
    request: AnyRequest,
    person_id: FromPath[UUID],
    reader: Provided[Reader],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Stream:
    """Return everything kept here about a living or deleted person; 410 once they are erased.

    That is their state, every event with the state after it, and the idempotency keys of requests
    about them. What is planned for them and was sent to them is behind the links.
    """
    lag_s = tolerated_lag_s(request)
    kept = await reader.ask(lambda store: export.get_kept(store, person_id), lag_s=lag_s)
    head = _head(kept, exported_at=clock.now(), planner_url=terms.planner_url)
    headers = {"Cache-Control": "no-store"}
    whole = _whole(reader, kept, head, lag_s=lag_s)
    return Stream(whole, media_type="application/json", headers=headers)


EXPORT_ROUTES: list[HTTPRouteHandler] = [export_people, export_person]


def _accepted(request: AnyRequest) -> Format:
    wanted = request.headers.get("accept", "").lower()
    return "csv" if CSV in wanted and NDJSON not in wanted else "ndjson"


async def _ndjson(first: list[Person], others: AsyncIterator[list[Person]]) -> AsyncIterator[bytes]:
    async for people in _chained(first, others):
        yield _encoder.encode_lines(map(exported_person, people))


async def _csv(first: list[Person], others: AsyncIterator[list[Person]]) -> AsyncIterator[bytes]:
    yield csv_rows.header()
    async for people in _chained(first, others):
        yield csv_rows.rows(people)


async def _chained(
    first: list[Person], others: AsyncIterator[list[Person]]
) -> AsyncIterator[list[Person]]:
    if first:
        yield first
    async for people in others:
        yield people


def _head(kept: Kept, *, exported_at: datetime, planner_url: str) -> KeptView:
    person = kept.person
    return KeptView(
        person.id,
        person.status,
        exported_at,
        person,
        [RequestView(*msgspec.structs.astuple(key)) for key in kept.keys],
        links_of(person.id, planner_url=planner_url),
    )


async def _whole(
    reader: Reader, kept: Kept, head: KeptView, *, lag_s: float
) -> AsyncIterator[bytes]:
    """Yield ``head`` with the events as its last member."""
    yield _encoder.encode(head)[:-1] + b',"events":['
    separator = b""
    async for events in export.events_of(reader, head.id, upto=kept.person.version, lag_s=lag_s):
        views = (
            KeptEvent(event_view(one.entry), one.state if isinstance(one.state, Person) else None)
            for one in events
        )
        yield separator + b",".join(map(_encoder.encode, views))
        separator = b","
    yield b"]}"
