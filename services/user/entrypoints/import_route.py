"""People by the million over HTTP: a line in, a line out."""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Annotated, Any, Final

import msgspec
from litestar import post
from litestar.datastructures import ResponseHeader
from litestar.params import QueryParameter
from litestar.response import Stream
from litestar.response.streaming import ASGIStreamingResponse
from litestar.types import HTTPResponseBodyEvent, Receive, Send

from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.bodies import check_content_type
from libs.httpapi.idempotency import idempotency_key
from libs.httpapi.problems import standard_problem
from libs.ids import new_id
from libs.telemetry.tracing import current_traceparent
from services.user.adapters.store import Origin, Store
from services.user.app.import_people import Batch, Line, PeopleImport
from services.user.entrypoints.csv_lines import CsvReader, read_columns
from services.user.entrypoints.documentation import CSV, NDJSON, ImportOperation
from services.user.entrypoints.lines import LineReader, batches
from services.user.entrypoints.ndjson import NdjsonReader
from services.user.entrypoints.person_routes import Terms
from services.user.entrypoints.requests import AnyRequest
from services.user.entrypoints.views import link_template

DryRun = Annotated[
    bool, QueryParameter(description="Judge every line against people there, register nobody.")
]
FromLine = Annotated[
    int,
    QueryParameter(
        ge=1, le=2**31, description="Pass over the lines before this one: they are done."
    ),
]

LINKS: Final = ResponseHeader(
    name="Link-Template",
    description="Where more is told about the person with an `id` (RFC 9652).",
    documentation_only=True,
)
PAUSE_S: Final = 0.1
"""A client that sends nothing for so long gets the outcomes of what it has sent."""
UNDER_WAY_MAX: Final = 1
"""Batches being written while another one is read and sealed."""

logger = logging.getLogger(__name__)

_encoder = msgspec.json.Encoder()


class ClientGoneError(Exception):
    """The client hung up before it had sent everything."""


class Outcomes(Stream):
    """Streams outcomes while the request is still being read."""

    def __init__(self, lines: AsyncIterator[bytes], *, links: str) -> None:
        super().__init__(lines, media_type=NDJSON)
        self._lines = lines
        self._links = links

    def to_asgi_response(self, *_: Any, **__: Any) -> ASGIStreamingResponse:
        """Return the application that sends the lines."""
        headers = {"cache-control": "no-store", "link-template": self._links}
        return _SendingLines(iterator=self._lines, media_type=NDJSON, headers=headers)


class _SendingLines(ASGIStreamingResponse):
    """Litestar's own listens for the client's farewell meanwhile and would swallow the body."""

    async def send_body(self, send: Send, receive: Receive) -> None:  # noqa: ARG002
        try:
            async for lines in self.iterator:
                await send(_piece(lines if isinstance(lines, bytes) else lines.encode()))
        except ClientGoneError:
            logger.info("import.interrupted")
            return
        await send(_piece(b"", is_last=True))


@post(
    "/v1/users/import",
    guards=[require("users:write")],
    operation_class=ImportOperation,
    media_type=NDJSON,
    request_max_body_size=None,
    response_headers=[LINKS],
    status_code=200,
    summary="Import people from NDJSON or CSV",
    tags=["people"],
)
async def import_people(
    *,
    request: AnyRequest,
    store: Provided[Store],
    clock: Provided[Clock],
    terms: Provided[Terms],
    import_batch_lines: Provided[int],
    dry_run: DryRun = False,
    from_line: FromLine = 1,
) -> Stream:
    """Register a person per line; answers a line per line, in order, while more are read.

    `{"line":1,"status":"created","id":"…","version":1}`; `unchanged` where exactly this person is
    registered already and `exists` where this line registered them and they changed since, so a
    file can be sent again after an interruption, from `from_line` on; `failed` with `errors`;
    `valid` in a dry run, which compares with the people there and the first 100,000 lines. A CSV
    file names the fields in its first line; an empty cell is an absent field, opt-outs are joined
    by `;`, and a row has the number of the line on which it begins. Read the answer while you send:
    whoever does not will be made to wait.
    """
    check_content_type(request, CSV, NDJSON, "application/jsonl", "application/ndjson")
    idempotency_key(request)
    session = PeopleImport(
        store,
        origin=Origin(caller=request.auth.key_id, traceparent=current_traceparent()),
        new_id=new_id,
        is_dry_run=dry_run,
    )

    def read(lines: Sequence[Line]) -> Batch:
        return session.read(lines, terms.rules(clock))

    async def take(batch: Batch) -> bytes:
        return _encoder.encode_lines(await session.take(batch, now=clock.now()))

    lines = await _lines(request, limit=import_batch_lines, from_line=from_line)
    links = link_template(planner_url=terms.planner_url)
    return Outcomes(_taken_in_turn(lines, read, take), links=links)


async def _lines(request: AnyRequest, *, limit: int, from_line: int) -> AsyncIterator[list[Line]]:
    """Return the lines of the body, in batches, read as its content type says.

    Raises:
        Problem: the body is a CSV file whose first line does not name the columns.
    """
    pieces = _body_of(request)
    reader: LineReader = NdjsonReader(from_line=from_line)
    if request.headers["content-type"].lower().partition(";")[0].strip() != CSV:
        return batches(pieces, reader, limit=limit)
    try:
        columns, rest = await read_columns(pieces)
    except ClientGoneError as error:
        raise standard_problem(400, "the file ended early") from error
    reader = CsvReader(columns, from_line=from_line)
    return batches(_after(rest, pieces), reader, limit=limit, first=2)


async def _after(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    if first:
        yield first
    async for piece in pieces:
        yield piece


async def _taken_in_turn(
    batches: AsyncIterator[list[Line]],
    read: Callable[[Sequence[Line]], Batch],
    take: Callable[[Batch], Awaitable[bytes]],
) -> AsyncIterator[bytes]:
    """Yield the outcomes of one batch after the other.

    While the database is at one batch, the next one is read and sealed. When the
    sender pauses, everything that is under way is finished.
    """
    under_way: deque[asyncio.Future[bytes]] = deque()
    try:
        async for lines in batches:
            if lines:
                under_way.append(asyncio.ensure_future(take(read(lines))))
                await asyncio.sleep(0)  # it goes as far as it can before the next is read
            while len(under_way) > (UNDER_WAY_MAX if lines else 0):
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for one in under_way:
            one.cancel()


async def _body_of(request: AnyRequest) -> AsyncIterator[bytes]:
    """Yield the pieces of the body, an empty one whenever the client pauses.

    A body that is cut off ends in an error, never in half a line.
    """
    is_complete = False
    while not is_complete:
        coming = asyncio.ensure_future(request.receive())
        try:
            while not (await asyncio.wait([coming], timeout=PAUSE_S))[0]:
                yield b""
            event: Any = coming.result()
        finally:
            coming.cancel()
        if event["type"] != "http.request":
            raise ClientGoneError
        is_complete = not event.get("more_body", False)
        if event.get("body"):
            yield event["body"]


def _piece(body: bytes, *, is_last: bool = False) -> HTTPResponseBodyEvent:
    return {"type": "http.response.body", "body": body, "more_body": not is_last}
