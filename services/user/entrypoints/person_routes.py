"""One person over HTTP: register, read, change, replace, delete, restore, erase."""

from datetime import timedelta
from uuid import UUID

import msgspec
from litestar import Response, delete, get, patch, post, put
from litestar.datastructures import ResponseHeader
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.refusals import refusing
from libs.ids import new_id
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Store
from services.user.app import change as changing
from services.user.app import read, register, remove
from services.user.app.reader import Reader
from services.user.app.written import Written
from services.user.domain.dates import latest_day
from services.user.domain.person import Person, Tombstone
from services.user.domain.profile import Rules
from services.user.entrypoints.documentation import (
    ConditionalOperation,
    NewPersonOperation,
    PatchOperation,
    ReadOperation,
    ReplacementOperation,
)
from services.user.entrypoints.refusals import ERASED, RETENTION_OVER, TAKEN
from services.user.entrypoints.requests import (
    AnyRequest,
    AsOf,
    MinVersion,
    document_of,
    has_seen,
    newest_seen,
    origin_of,
    past_instant,
    tolerated_lag_s,
    wanted_versions,
)
from services.user.entrypoints.views import (
    ErasedView,
    PersonView,
    erased_view,
    link_header,
    person_view,
)

ETAG = ResponseHeader(name="ETag", description="The version, in quotes.", documentation_only=True)
LOCATION = ResponseHeader(
    name="Location", description="The new person's path.", documentation_only=True
)
LINK = ResponseHeader(
    name="Link", description="Where more is told (RFC 8288).", documentation_only=True
)


class Terms(msgspec.Struct, frozen=True):
    """What this installation grants: kinds to opt out of, time to undo a deletion.

    ``planner_url`` is the planner's address where it differs from ours, for links.
    """

    kinds: frozenset[str]
    retention: timedelta
    planner_url: str = ""

    def rules(self, clock: Clock) -> Rules:
        """Return the field rules as of now."""
        return Rules(latest_day(clock.now()), self.kinds)


@post(
    ["/v1/users", "/user"],
    guards=[require("users:write")],
    operation_class=NewPersonOperation,
    response_headers=[ETAG, LOCATION],
    responses=refusing({409: TAKEN}),
    tags=["people"],
)
async def register_person(
    request: AnyRequest,
    registrations: Provided[Registrations],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[PersonView]:
    """Register a person. Their greetings are planned from now on."""
    document = await document_of(request)
    written = await register.register(
        registrations,
        document,
        person_id=new_id(),
        rules=terms.rules(clock),
        origin=await origin_of(request),
        now=clock.now(),
    )
    response = _answer(written, terms)
    response.headers["Location"] = f"/v1/users/{written.state.id}"
    return response


@get(
    "/v1/users/{person_id:uuid}",
    guards=[require("users:read")],
    operation_class=ReadOperation,
    response_headers=[ETAG],
    responses=refusing({410: ERASED}),
    tags=["people"],
)
async def get_person(
    *,
    request: AnyRequest,
    person_id: FromPath[UUID],
    reader: Provided[Reader],
    clock: Provided[Clock],
    terms: Provided[Terms],
    as_of: AsOf = None,
    min_version: MinVersion = None,
) -> Response[PersonView | None]:
    """Return a person; 304 where `If-None-Match` names the version.

    With `as_of` as they were then, deleted since or not: 404 if they were not there, 410 if they
    have been erased.
    """
    if as_of is None:
        person = await reader.ask(
            lambda store: read.get_living(store, person_id),
            lag_s=tolerated_lag_s(request, is_bounded=min_version is not None),
            suffices=lambda found: found.version >= max(min_version or 0, newest_seen(request)),
        )
    else:
        at = past_instant(as_of, now=clock.now())
        person = await reader.ask(
            lambda store: read.get_as_of(store, person_id, at=at), lag_s=tolerated_lag_s(request)
        )
    if has_seen(request, person.version):
        return Response(None, status_code=304, headers=_tagged(person.version))
    view = person_view(person, planner_url=terms.planner_url)
    return Response(view, headers=_tagged(person.version))


@patch(
    "/v1/users/{person_id:uuid}",
    guards=[require("users:write")],
    operation_class=PatchOperation,
    response_headers=[ETAG],
    responses=refusing({409: TAKEN}),
    tags=["people"],
)
async def change_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[PersonView]:
    """Change some fields of a person by a JSON merge patch; a greeting still unsent follows."""
    written = await changing.change(
        store,
        person_id,
        await document_of(request),
        rules=terms.rules(clock),
        origin=await origin_of(request),
        now=clock.now(),
        if_match=wanted_versions(request),
    )
    return _answer(written, terms)


@put(
    ["/v1/users/{person_id:uuid}", "/user/{person_id:uuid}"],
    guards=[require("users:write")],
    operation_class=ReplacementOperation,
    response_headers=[ETAG],
    responses=refusing({409: TAKEN}),
    tags=["people"],
)
async def replace_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[PersonView]:
    """Replace everything that is said about a person; what is left out is removed."""
    written = await changing.replace(
        store,
        person_id,
        await document_of(request),
        rules=terms.rules(clock),
        origin=await origin_of(request),
        now=clock.now(),
        if_match=wanted_versions(request),
    )
    return _answer(written, terms)


@delete(
    ["/v1/users/{person_id:uuid}", "/user/{person_id:uuid}"],
    guards=[require("users:write")],
    operation_class=ConditionalOperation,
    response_headers=[ETAG, LINK],
    status_code=204,
    tags=["people"],
)
async def delete_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[None]:
    """Delete a person: no more mail. Within the retention time they can be restored."""
    written = await remove.delete(
        store,
        person_id,
        origin=await origin_of(request),
        now=clock.now(),
        if_match=wanted_versions(request),
    )
    link = link_header(person_id, planner_url=terms.planner_url)
    return Response(None, headers={**_tagged(written.state.version), "Link": link})


@post(
    "/v1/users/{person_id:uuid}/restore",
    guards=[require("users:write")],
    operation_class=ConditionalOperation,
    response_headers=[ETAG],
    responses=refusing({409: TAKEN, 410: f"{RETENTION_OVER} {ERASED}"}),
    status_code=200,
    tags=["people"],
)
async def restore_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[PersonView]:
    """Restore a deleted person; 410 when the retention time is over or they were erased."""
    written = await remove.restore(
        store,
        person_id,
        retention=terms.retention,
        origin=await origin_of(request),
        now=clock.now(),
        if_match=wanted_versions(request),
    )
    return _answer(written, terms)


@post(
    "/v1/users/{person_id:uuid}/erase",
    guards=[require("users:write")],
    operation_class=ConditionalOperation,
    response_headers=[ETAG],
    status_code=200,
    tags=["people"],
)
async def erase_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
) -> Response[ErasedView]:
    """Erase a person for ever: their key is destroyed, nobody can read what was recorded."""
    written = await remove.erase(
        store,
        person_id,
        origin=await origin_of(request),
        now=clock.now(),
        if_match=wanted_versions(request),
    )
    if not isinstance(written.state, Tombstone):
        raise TypeError("an erasure leaves a tombstone")
    view = erased_view(written.state, planner_url=terms.planner_url)
    return Response(view, headers=_tagged(written.state.version))


PERSON_ROUTES: list[HTTPRouteHandler] = [
    register_person,
    get_person,
    change_person,
    replace_person,
    delete_person,
    restore_person,
    erase_person,
]


def _answer(written: Written, terms: Terms) -> Response[PersonView]:
    if not isinstance(written.state, Person):
        raise TypeError("only an erasure leaves a tombstone")
    view = person_view(written.state, planner_url=terms.planner_url)
    return Response(view, headers=_tagged(written.state.version))


def _tagged(version: int) -> dict[str, str]:
    return {"ETag": f'"{version}"'}
