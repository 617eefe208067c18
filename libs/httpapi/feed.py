"""``GET /v1/events``: everything a service tells, from any position, as pages or as a stream."""

from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Response, get
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import HeaderParameter, QueryParameter

from libs.eventstore.feed import BadPositionError, Feed, PositionGoneError
from libs.httpapi.auth import require
from libs.httpapi.event_stream import MEDIA_TYPE, EventStreams
from libs.httpapi.problems import Problem
from libs.httpapi.refusals import refusing
from libs.runtime.stopping import Stopping

DEFAULT_LIMIT: Final = 500
MAX_LIMIT: Final = 5000

After = Annotated[
    str | None,
    QueryParameter(description="The `next` of the page before; from the beginning without it."),
]
EventLimit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Events in one page.")]
TypeName = Annotated[str, msgspec.Meta(pattern=r"^[a-z_]+(\.[a-z_]+)+\.v[0-9]+$", max_length=100)]
Types = Annotated[
    list[TypeName] | None,
    QueryParameter(name="type", description="Only events of these types; may be repeated."),
]
LastEventId = Annotated[
    str | None,
    HeaderParameter(
        name="Last-Event-ID", description="Sent by streams that resume; beats `after`."
    ),
]


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event as on the broker (CloudEvents 1.0.2); `id` is the same on every way."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    datacontenttype: str
    data: dict[str, Any]
    traceparent: str | None = None


class FeedPage(msgspec.Struct, frozen=True):
    """Events in the order of their positions.

    `next` is where the next page begins; it also passes events that were left out, so a page may
    be empty and still have more. `has_more` false: this was everything there is.
    """

    events: list[CloudEvent]
    next: str | None
    has_more: bool


class _Page(msgspec.Struct, frozen=True):
    """A ``FeedPage`` whose events are JSON already."""

    events: list[msgspec.Raw]
    next: str | None
    has_more: bool


def feed_route(feed: Feed, stopping: Stopping) -> HTTPRouteHandler:
    """Return the route of ``feed``; its streams end when ``stopping`` begins."""
    streams = EventStreams(feed, stopping)

    @get(
        "/v1/events",
        guards=[require("events:read")],
        responses={
            200: ResponseSpec(FeedPage, description="A page.", generate_examples=False),
            **refusing({410: "`position_gone`: events after the position are no longer kept."}),
        },
        tags=["events"],
    )
    async def list_events(
        request: Request[Any, Any, Any],
        after: After = None,
        limit: EventLimit = DEFAULT_LIMIT,
        types: Types = None,
        last_event_id: LastEventId = None,
    ) -> Response[Any]:
        """List events from a position, or follow them as server-sent events.

        Only closed positions are told: nothing ever appears before what was told already. With
        `Accept: text/event-stream` the answer stays open: `id` is the position, `event` the type,
        `data` the event; `Last-Event-ID` resumes.
        """
        wanted = frozenset(types or ())
        try:
            if MEDIA_TYPE in request.headers.get("accept", ""):
                return await streams.open(last_event_id or after, wanted)
            return await _page(feed, after, limit=limit, types=wanted)
        except BadPositionError as error:
            raise _bad_position() from error
        except PositionGoneError as error:
            raise _gone() from error

    return list_events


async def _page(
    feed: Feed, after: str | None, *, limit: int, types: frozenset[str]
) -> Response[bytes]:
    found = await feed.read(after, limit=limit, types=types)
    events = [msgspec.Raw(entry.event) for entry in found.entries]
    body = msgspec.json.encode(_Page(events, found.next, found.has_more))
    return Response(body, media_type="application/json")


def _bad_position() -> Problem:
    detail = "give the `next` of a page or the `id` of an event unchanged, or begin without one"
    return Problem(400, "bad_position", "This is no position of the feed", detail)


def _gone() -> Problem:
    detail = "begin again without a position; what is still kept follows"
    return Problem(410, "position_gone", "Events after this position are no longer kept", detail)
