"""Why a use case could not go on, as HTTP tells it."""

from collections.abc import Sequence
from typing import Any

from litestar import Request, Response
from litestar.types import ExceptionHandlersMap

from libs.eventstore import WrongExpectedVersionError
from libs.httpapi import idempotency
from libs.httpapi.problems import (
    RETRY_AFTER_S,
    FieldError,
    Problem,
    answer,
    invalid,
    standard_problem,
)
from services.user.adapters.appending import KeyInFlightError, KeyTakenError
from services.user.adapters.store import UnavailableError
from services.user.app import errors as app
from services.user.domain import errors as domain

TAKEN = "`email_taken` or `external_id_taken`: it belongs to somebody else."
RETENTION_OVER = "`retention_over`: the person was deleted too long ago."
ERASED = "`person_erased`: the person was erased, which cannot be undone."

_TITLES = {
    "email": "The e-mail address belongs to somebody else",
    "external_id": "The external id belongs to somebody else",
}


def problem_of(error: Exception) -> Problem:
    """Return ``error`` in the form in which clients get it."""
    match error:
        case app.DocumentRefusedError():
            problem = invalid(field_errors(error.errors))
        case app.TakenError():
            problem = _taken(error.fields)
        case app.VersionMismatchError():
            problem = _mismatch(error.version)
        case app.KeyReusedError():
            problem = idempotency.reused()
        case KeyInFlightError() | KeyTakenError():
            problem = idempotency.in_progress()
        case app.PersonErasedError():
            detail = "an erasure cannot be undone: register them anew if they wish it"
            problem = Problem(410, "person_erased", "The person was erased", detail)
        case app.RetentionOverError():
            problem = Problem(410, "retention_over", "The person was deleted too long ago")
        case app.PersonNotFoundError():
            problem = standard_problem(404)
        case WrongExpectedVersionError():
            problem = Problem(409, "contended", "Too many write to this person at once")
        case _:
            problem = standard_problem(503, Retry_After=str(RETRY_AFTER_S))
    return problem


def field_errors(errors: Sequence[domain.FieldError]) -> list[FieldError]:
    """Return the faults of a document as they stand in a problem."""
    return [FieldError(error.pointer, error.code, error.detail) for error in errors]


def parameter_refused(name: str, error: domain.FieldRefusedError) -> Problem:
    """Return the problem of a query parameter that breaks the rule of its field."""
    return invalid([FieldError(None, error.code, error.detail, parameter=name)])


def refusal_handlers() -> ExceptionHandlersMap:
    """Return the handlers of everything a use case raises."""
    known: tuple[type[Exception], ...] = (
        app.DocumentRefusedError,
        app.TakenError,
        app.VersionMismatchError,
        app.KeyReusedError,
        app.PersonErasedError,
        app.RetentionOverError,
        app.PersonNotFoundError,
        KeyInFlightError,
        KeyTakenError,
        WrongExpectedVersionError,
        UnavailableError,
    )
    return dict.fromkeys(known, _answer)


def _answer(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    return answer(request, problem_of(error))


def _taken(fields: Sequence[str]) -> Problem:
    errors = [
        FieldError(f"/{name}", f"{name}_taken", "belongs to somebody else") for name in fields
    ]
    return Problem(409, errors[0].code, _TITLES[fields[0]], errors=errors)


def _mismatch(version: int) -> Problem:
    return Problem(
        412,
        "version_mismatch",
        "The person has changed since",
        "read it again, and send its new ETag",
        headers={"ETag": f'"{version}"'},
        members={"version": version},
    )
