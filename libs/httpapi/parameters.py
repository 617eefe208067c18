"""Query parameters: one that a route does not know is refused, never ignored.

A filter that is misspelt and ignored would answer with everything.
"""

import difflib
from typing import Any, Final
from urllib.parse import parse_qsl

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler
from litestar.routes import HTTPRoute

from libs.httpapi.problems import FieldError, invalid

_KNOWN: Final = "query_parameters"
_MAX_NAMED: Final = 20


def note_parameters(route: HTTPRoute) -> None:
    """Note beside each handler of ``route`` which query parameters it and its givers read."""
    for handler, model in route.route_handler_map.values():
        names = (one.field_alias for one in model.expected_query_params)
        handler.opt[_KNOWN] = frozenset(names)


def refuse_unknown_parameters(
    connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
) -> None:
    """Refuse a query that names anything the route does not read.

    Raises:
        Problem: 422, naming each such parameter and those that are allowed.
    """
    known: frozenset[str] = handler.opt[_KNOWN]
    query = connection.scope["query_string"].decode("latin-1")
    given = dict.fromkeys(name for name, _ in parse_qsl(query, keep_blank_values=True))
    unknown = [name for name in given if name not in known]
    if unknown:
        raise invalid([_unknown(name, known) for name in unknown[:_MAX_NAMED]])


def _unknown(name: str, known: frozenset[str]) -> FieldError:
    near = difflib.get_close_matches(name, known, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    allowed = f"allowed are {', '.join(sorted(known))}" if known else "none is allowed here"
    return FieldError(None, "unknown_parameter", meant + allowed, parameter=name[:100])
