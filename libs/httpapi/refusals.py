"""Which refusals each route may answer with, as OpenAPI describes them."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from litestar.openapi.datastructures import ResponseSpec

from libs.httpapi.idempotency import HEADER
from libs.httpapi.problems import CONTENT_TYPE

PROBLEM_SCHEMA: Final[dict[str, Any]] = {
    "type": "object",
    "description": "RFC 9457. `code` is stable; `errors` has one entry per refused field.",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "examples": ["urn:jubilee:problem:not_found"]},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["pointer", "code", "detail"],
                "properties": {
                    "pointer": {
                        "type": ["string", "null"],
                        "description": "JSON Pointer into the body; null for a parameter.",
                    },
                    "code": {"type": "string"},
                    "detail": {"type": "string"},
                    "parameter": {"type": "string"},
                },
            },
        },
    },
}

_TOLD: Final[Mapping[str, str]] = {
    "400": "`bad_request`, `malformed_json`, `duplicate_key`, `bad_cursor` or `bad_position`: "
    "it cannot be read at all.",
    "401": "`unauthenticated`: no valid key or token.",
    "403": "`insufficient_scope`: the key or token may not do this.",
    "404": "`not_found`: there is nothing of that name.",
    "408": "`request_timeout`: the body did not arrive in time.",
    "412": "`version_mismatch`: it has changed since; read it again.",
    "413": "`body_too_large`: the limit is named.",
    "415": "`unsupported_media_type`: the types that are taken are named.",
    "422": "`validation_failed`: one entry per wrong field or parameter; or "
    "`idempotency_key_reused`: the key came with another request before.",
    "429": "`rate_limited`: too many requests; `Retry-After` says when to come again.",
    "4XX": "Refused for another reason, such as `idempotency_in_progress`; `code` says which.",
    "503": "`unavailable`: not now; `Retry-After` says when to come again.",
}
_IN_PROGRESS: Final = "`idempotency_in_progress`: the first request under the key is under way."
_WAITING: Final = frozenset({"429", "503"})
_BODY: Final = ("400", "408", "413", "415", "422")


def refusing(told: Mapping[int, str]) -> dict[int, ResponseSpec]:
    """Return the ``responses`` of a route that tells of refusals of its own, by status."""
    return {status: ResponseSpec(None, description=text) for status, text in told.items()}


def refusals(
    path: str, method: str, operation: Mapping[str, Any], *, own: Mapping[str, str]
) -> dict[str, Any]:
    """Return the responses that refuse ``operation``, by status; ``own`` tells of its own ones."""
    told = {status: _TOLD[status] for status in _statuses(path, method, operation)}
    told.update(own)
    if "409" in own and any(one["name"] == HEADER for one in operation.get("parameters", ())):
        told["409"] += f" Or {_IN_PROGRESS}"
    return {status: _response(status, told[status]) for status in sorted(told)}


def _statuses(path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
    parameters: Iterable[Mapping[str, Any]] = operation.get("parameters", ())
    yield from ("400", "422", "429", "4XX", "503")
    if operation.get("security"):
        yield from ("401", "403")
    if "{" in path:
        yield "404"
    if method != "get" or operation.get("requestBody"):
        yield from _BODY
    if any(one["name"].lower() == "if-match" for one in parameters):
        yield "412"


def _response(status: str, told: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    response: dict[str, Any] = {
        "description": told,
        "content": {CONTENT_TYPE: {"schema": schema}},
    }
    if status in _WAITING:
        response["headers"] = {"Retry-After": {"schema": {"type": "string"}}}
    return response
