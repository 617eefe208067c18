"""Query parameters: one that is missing or that a route does not know is named, never ignored.

A filter that is misspelt and ignored would answer with everything.
"""

import difflib
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from libs.httpapi.problems import FieldError, invalid

_PARAMETERS: Final = "query_parameters"
_MAX_NAMED: Final = 20


class QueryParameters(msgspec.Struct, frozen=True):
    """The names a route reads, and those it cannot do without."""

    known: frozenset[str]
    required: tuple[str, ...]


def note_parameters(route: HTTPRoute) -> None:
    """Note beside each handler of ``route`` which query parameters it and its givers read."""
    for handler, model in route.route_handler_map.values():
        found = model.expected_query_params
        handler.opt[_PARAMETERS] = QueryParameters(
            frozenset(one.field_alias for one in found),
            tuple(sorted(one.field_alias for one in found if one.is_required)),
        )


def check_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse a query that names what the route does not read, or lacks what it needs.

    Raises:
        Problem: 422, naming each such parameter, and those that are allowed.
    """
    read: QueryParameters = handler.opt[_PARAMETERS]
    query = connection.scope["query_string"]
    if not query and not read.required:
        return
    given = dict.fromkeys(
        name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)
    )
    errors = [_unknown(name, read.known) for name in given if name not in read.known]
    errors += [_missing(name) for name in read.required if name not in given]
    if errors:
        raise invalid(errors[:_MAX_NAMED])


def _unknown(name: str, known: frozenset[str]) -> FieldError:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    allowed = f"allowed are {', '.join(sorted(known))}" if known else "none is allowed here"
    return FieldError(None, "unknown_parameter", meant + allowed, parameter=name[:100])


def _missing(name: str) -> FieldError:
    return FieldError(None, "missing", "this parameter is required", parameter=name)
