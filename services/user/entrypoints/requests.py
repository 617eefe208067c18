"""What every request of this API carries in its head and body."""

import math
import re
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from litestar import Request
from litestar.params import QueryParameter

from libs.httpapi.bodies import check_content_type, parse_json
from libs.httpapi.idempotency import fingerprint, idempotency_key
from libs.httpapi.problems import FieldError, invalid
from libs.telemetry.tracing import current_traceparent
from services.user.adapters.store import Origin

AnyRequest = Request[Any, Any, Any]

AsOf = Annotated[
    str | None,
    QueryParameter(
        description="As it was at this instant (RFC 3339, such as 2026-06-14T09:00:00Z)."
    ),
]

MinVersion = Annotated[
    int | None,
    QueryParameter(
        ge=1,
        le=2**31 - 1,
        description="The version an event or the `ETag` of a write told: the answer is no older.",
    ),
]

_Instant = Annotated[datetime, msgspec.Meta(tz=True)]
_VERSION = re.compile(r"[0-9]{1,10}")
_MAX_STALE = re.compile(r"max-stale(?:=([0-9]{1,9}))?")


async def document_of(request: AnyRequest) -> dict[str, Any]:
    """Return the JSON object in the body; its fields are judged by the domain.

    Raises:
        Problem: 415 for another content type, 400 for malformed JSON, 422 for no object.
    """
    check_content_type(request, "application/json", "+json")
    document = parse_json(await request.body())
    if not isinstance(document, dict):
        raise invalid([FieldError("", "wrong_type", "must be an object")])
    return document


async def origin_of(request: AnyRequest) -> Origin:
    """Return who asks, in which trace, and under which idempotency key.

    Raises:
        Problem: 400 for a malformed key.
    """
    key = idempotency_key(request)
    body = await request.body() if key is not None else b""
    return Origin(
        caller=request.auth.key_id,
        traceparent=current_traceparent(),
        idempotency_key=key,
        request_hash=fingerprint(request.method, request.url.path, body) if key else None,
    )


def wanted_versions(request: AnyRequest) -> frozenset[int] | None:
    """Return the versions ``If-Match`` names; None where any will do.

    What is no version of ours matches none.
    """
    header = request.headers.get("if-match")
    if header is None or header.strip() == "*":
        return None
    tags = (tag.strip().removeprefix("W/").strip('"') for tag in header.split(","))
    return frozenset(int(tag) for tag in tags if _VERSION.fullmatch(tag))


def has_seen(request: AnyRequest, version: int) -> bool:
    """Tell whether ``If-None-Match`` names ``version``."""
    return str(version) in _tags(request)


def newest_seen(request: AnyRequest) -> int:
    """Return the newest version ``If-None-Match`` names, 0 where it names none."""
    return max((int(tag) for tag in _tags(request) if _VERSION.fullmatch(tag)), default=0)


def _tags(request: AnyRequest) -> set[str]:
    header = request.headers.get("if-none-match")
    if header is None:
        return set()
    return {tag.strip().removeprefix("W/").strip('"') for tag in header.split(",")}


def tolerated_lag_s(request: AnyRequest, *, is_bounded: bool = False) -> float:
    """Return how old an answer may be, in seconds: 0 as of now, infinite as the operator allows.

    Who may write gets what is true now, whichever process took the write, unless they say that
    they take less: by ``max-stale``, or because something else bounds what they get.
    """
    header = request.headers.get("cache-control")
    directives = {part.strip().lower() for part in header.split(",")} if header else ()
    if "no-cache" in directives or "max-age=0" in directives:
        return 0
    for directive in directives:
        if stale := _MAX_STALE.fullmatch(directive):
            return float(stale[1] or math.inf)
    return math.inf if is_bounded or "users:write" not in request.auth.scopes else 0


def past_instant(as_of: str, *, now: datetime) -> datetime:
    """Return the instant that a query names.

    Raises:
        Problem: 422 for what is no instant, has no offset, or lies in the future.
    """
    try:
        # A plus sign that was not escaped arrives as a blank.
        at = msgspec.convert(as_of.replace(" ", "+"), _Instant).astimezone(UTC)
    except (msgspec.ValidationError, OverflowError) as error:
        detail = "must be an instant with an offset, such as 2026-06-14T09:00:00Z"
        raise invalid([FieldError(None, "invalid_instant", detail, parameter="as_of")]) from error
    if at > now:
        detail = "must not lie in the future"
        raise invalid([FieldError(None, "instant_in_future", detail, parameter="as_of")])
    return at
