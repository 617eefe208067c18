"""Refusals as ``application/problem+json`` (RFC 9457): stable codes, never the refused value."""

import ast
import logging
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin
from uuid import UUID

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ExceptionHandlersMap, HTTPScope, Send
from litestar.typing import FieldDefinition

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:jubilee:problem:"
RETRY_AFTER_S: Final = 2

UNAVAILABLE: Final[tuple[type[Exception], ...]] = (
    TimeoutError,
    ConnectionError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.QueryCanceledError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,
)
"""Errors that say "not now" rather than "we are wrong"; the caller may repeat the request."""

_CODES: Final[Mapping[int, tuple[str, str]]] = {
    400: ("bad_request", "The request cannot be understood"),
    401: ("unauthenticated", "A valid API key is needed"),
    403: ("insufficient_scope", "The API key may not do this"),
    404: ("not_found", "There is nothing here"),
    405: ("method_not_allowed", "This method does not exist here"),
    408: ("request_timeout", "The request did not arrive in time"),
    413: ("body_too_large", "The body is too large"),
    415: ("unsupported_media_type", "The body has the wrong content type"),
    422: ("validation_failed", "The request is not valid"),
    429: ("rate_limited", "Too many requests"),
    500: ("internal_error", "Something went wrong on our side"),
    503: ("unavailable", "The service cannot answer right now"),
}


class FieldError(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong with one field: a JSON Pointer into the body, or the parameter's name."""

    pointer: str | None
    code: str
    detail: str
    parameter: str | None = None


class Problem(Exception):  # noqa: N818 - RFC 9457 gives the name
    """A refusal; raised anywhere below a route it becomes the answer."""

    def __init__(
        self,
        status: int,
        code: str,
        title: str,
        detail: str = "",
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        members: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}")
        self.status = status
        self.code = code
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})
        self.members = dict(members or {})

    def body(self, request_id: str | None = None) -> bytes:
        """Return the problem as JSON; ``members`` are extensions beside the standard ones."""
        members: dict[str, Any] = {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "code": self.code,
        }
        if self.detail:
            members["detail"] = self.detail
        if self.errors:
            members["errors"] = self.errors
        if request_id:
            members["request_id"] = request_id
        return msgspec.json.encode(members | self.members)


def standard_problem(status: int, detail: str = "", **headers: str) -> Problem:
    """Return the problem that a status alone describes; header names use ``_`` for ``-``."""
    code, title = _CODES.get(status) or (f"http_{status}", HTTPStatus(status).phrase)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Problem(status, code, title, detail, headers=named)


def invalid(errors: Sequence[FieldError]) -> Problem:
    """Return the 422 problem that lists ``errors``."""
    code, title = _CODES[422]
    return Problem(422, code, title, errors=errors)


def answer(request: Request[Any, Any, Any], problem: Problem) -> Response[bytes]:
    """Return the response that carries ``problem``, with the request's id."""
    request_id = request.scope.get("state", {}).get("request_id")
    return Response(
        problem.body(request_id),
        status_code=problem.status,
        media_type=CONTENT_TYPE,
        headers=problem.headers,
    )


async def refuse(scope: HTTPScope, send: Send, problem: Problem) -> None:
    """Answer with ``problem`` before there is a route, with the request's id."""
    body = problem.body(scope["state"].get("request_id"))
    headers = {"content-type": CONTENT_TYPE, "content-length": str(len(body)), **problem.headers}
    raw = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": problem.status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def exception_handlers() -> ExceptionHandlersMap:
    """Return the handlers that turn every error into a problem."""
    handlers: dict[int | type[Exception], Any] = {
        Problem: answer,
        HTTPException: _answer_litestar,
        Exception: _answer_unforeseen,
    }
    return handlers | dict.fromkeys(UNAVAILABLE, _answer_unavailable)


def _answer_litestar(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    if isinstance(error, ValidationException):
        return answer(request, _of_validation(request, error))
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _answer_unforeseen(request, error)
    problem = standard_problem(error.status_code, _detail(request, error.status_code))
    problem.headers.update(error.headers or {})
    return answer(request, problem)


def _answer_unavailable(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    logger.warning("request.unavailable", extra=_facts(request), exc_info=error)
    return answer(request, standard_problem(503, Retry_After=str(RETRY_AFTER_S)))


def _answer_unforeseen(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    logger.error("request.failed", extra=_facts(request), exc_info=error)
    return answer(request, standard_problem(500))


def _facts(request: Request[Any, Any, Any]) -> dict[str, Any]:
    return {
        "method": request.method,
        "route": request.scope.get("path_template", "unmatched"),
        "request_id": request.scope.get("state", {}).get("request_id"),
    }


def _detail(request: Request[Any, Any, Any], status: int) -> str:
    handler = request.scope.get("route_handler")
    if status != HTTPStatus.REQUEST_ENTITY_TOO_LARGE or not isinstance(handler, HTTPRouteHandler):
        return ""
    return f"send at most {handler.resolve_request_max_body_size()} bytes"


def _of_validation(request: Request[Any, Any, Any], error: ValidationException) -> Problem:
    """Translate Litestar's findings about parameters; bodies are checked before it sees them."""
    found: Sequence[Any] = error.extra if isinstance(error.extra, list) else ()
    if not found:
        # Raised while parameters are read, before there is a list of them.
        return invalid([FieldError(None, "wrong_value", "a parameter is missing or malformed")])
    if any(one.get("key") == "data" for one in found):
        return Problem(400, "malformed_json", "The body is not JSON", "the body is empty")
    return invalid([_of_parameter(request, one) for one in found])


def _of_parameter(request: Request[Any, Any, Any], found: Mapping[str, Any]) -> FieldError:
    field = _field_of(request, str(found.get("key")))
    public = getattr(field and field.kwarg_definition, "name", None) or found.get("key")
    leaves = [*_leaves(field.annotation)] if field else []
    detail = _expected(str(found.get("message", "")), leaves)
    return FieldError(None, "wrong_value", detail, parameter=public)


def _expected(message: str, leaves: Sequence[Any]) -> str:
    """Say what a parameter must be that may be one of ``leaves``; ``message`` is msgspec's."""
    if words := [str(one) for one in leaves if not isinstance(one, type)]:
        return f"allowed are {', '.join(words)}"
    if pattern := _PATTERN.search(message):
        return f"must match the pattern {ast.literal_eval(pattern[1])}"
    if message.startswith("Expected") and ", got" not in message:
        return message
    return next((_EXAMPLES[one] for one in leaves if one in _EXAMPLES), "the value is not allowed")


_PATTERN: Final = re.compile(r"""matching regex ('.*'|".*")""")
_EXAMPLES: Final[Mapping[type, str]] = {
    date: "must be a day of the calendar, such as 2027-06-14",
    UUID: "must be a UUID",
    int: "must be a whole number",
    bool: "must be true or false",
}


def _field_of(request: Request[Any, Any, Any], name: str) -> FieldDefinition | None:
    read = request.route_handler.parsed_fn_signature.parameters
    for field_name, field in read.items():
        if name in {field_name, getattr(field.kwarg_definition, "name", None)}:
            return field
    return None


def _leaves(annotation: Any) -> Iterator[Any]:
    """Yield what a parameter may be: types, and the words of a literal."""
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) is Annotated:
        yield from _leaves(get_args(annotation)[0])
    elif get_origin(annotation) in {Union, types.UnionType, list, tuple, set, frozenset}:
        for one in get_args(annotation):
            yield from _leaves(one)
    elif isinstance(annotation, type):
        yield annotation
