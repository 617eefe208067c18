"""Refusals as ``application/problem+json`` (RFC 9457): stable codes, never the refused value."""

import logging
import types
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import asyncpg
import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.handlers import HTTPRouteHandler
from litestar.types import ExceptionHandlersMap, HTTPScope, Send

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
    name, message = found.get("key"), str(found.get("message", ""))
    expected = message if message.startswith("Expected") else "the value is not allowed"
    if words := _words_of(request, str(name)):
        expected = f"allowed are {', '.join(words)}"
    return FieldError(None, "wrong_value", expected, parameter=name)


def _words_of(request: Request[Any, Any, Any], name: str) -> list[str]:
    """Return the words a parameter may have, empty if it is not one of a few words."""
    read = request.route_handler.parsed_fn_signature.parameters
    for field_name, field in read.items():
        if name in {field_name, getattr(field.kwarg_definition, "name", None)}:
            return [str(word) for word in _literals(field.annotation)]
    return []


def _literals(annotation: Any) -> Iterator[Any]:
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in {Annotated, Union, types.UnionType, list, tuple, set, frozenset}:
        for one in get_args(annotation):
            yield from _literals(one)
