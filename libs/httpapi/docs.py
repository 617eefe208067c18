"""``/openapi.json`` and the documentation page ``/docs``, which loads nothing from elsewhere."""

import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec
from litestar import Request, Response, Router, get
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.plugins import ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute
from litestar.types import ControllerRouterHandler

from libs.httpapi.auth import PUBLIC, Requirement
from libs.httpapi.idempotency import HEADER, PARAMETER, WRITING
from libs.httpapi.parameters import note_parameters
from libs.httpapi.problems import standard_problem
from libs.httpapi.refusals import PROBLEM_SCHEMA, refusals

_STATIC: Final = Path(__file__).parent / "static"
_FILES: Final[Mapping[str, str]] = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "start.js": "text/javascript",
    "favicon.svg": "image/svg+xml",
    "LICENSE-swagger-ui.txt": "text/plain",
    "LICENSE-swagger-ui-bundle.txt": "text/plain",
}
_GENERIC_NAME: Final = re.compile(rb"\b(\w+?)_(?:\w+\.)+(\w+)_(?=\")")
_CLAUSE_END: Final = re.compile(r"[.;:](?:\s|$)|\n\n")
_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)

SECURITY_SCHEMES: Final[dict[str, Any]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key: `<id>.<secret>`. The scope a route needs stands beside it.",
    },
    "jwt": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "A token of the issuer this installation trusts (EdDSA, ES256 or RS256, at"
        " most an hour long); its `scope` claim holds scopes separated by spaces.",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}


class UnguardedRouteError(Exception):
    """A route says neither which scope it needs nor that it is public."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} needs a guard: require(scope) or PUBLIC")
        self.path = path


class NoPages(Router):
    """Swallows the documentation pages Litestar brings, which load scripts from elsewhere."""

    def register(self, value: ControllerRouterHandler) -> list[BaseRoute]:
        """Register nothing."""
        del value
        return []


class RoutesInDocs(ReceiveRoutePlugin):
    """Refuses routes without a guard; documents the scope and the summary of the others."""

    def receive_route(self, route: BaseRoute) -> None:
        """Take each operation's security from its guard, its summary from its docstring.

        The summary is the first clause, unless the route gives one. The parameters that the route
        reads are noted besides.
        """
        if isinstance(route, HTTPRoute):
            note_parameters(route)
            for handler in route.route_handlers:
                _document_scope(handler, route.path)
                _document_summary(handler)


def docs_routes() -> list[HTTPRouteHandler]:
    """Return the documentation's routes, which need no key."""

    @get("/openapi.json", guards=[PUBLIC], include_in_schema=False)
    async def openapi(request: Request[Any, Any, Any]) -> Response[bytes]:
        body = msgspec.json.encode(openapi_document(request.app))
        return Response(body, media_type="application/json")

    @get("/docs", guards=[PUBLIC], include_in_schema=False)
    async def page() -> Response[bytes]:
        headers = {"Content-Security-Policy": _POLICY}
        return Response(_static("index.html"), media_type="text/html", headers=headers)

    @get("/docs/{name:str}", guards=[PUBLIC], include_in_schema=False)
    async def asset(name: FromPath[str]) -> Response[bytes]:
        if name not in _FILES:
            raise standard_problem(404)
        headers = {"Cache-Control": "max-age=3600"}
        return Response(_static(name), media_type=_FILES[name], headers=headers)

    return [openapi, page, asset]


def openapi_document(app: Any) -> dict[str, Any]:
    """Return the OpenAPI 3.1 description, with our problems in place of Litestar's errors."""
    document = _renamed(app.openapi_schema.to_schema())
    components = document.setdefault("components", {})
    components["securitySchemes"] = SECURITY_SCHEMES
    components.setdefault("schemas", {})["Problem"] = PROBLEM_SCHEMA
    for path, item in document.get("paths", {}).items():
        for method, operation in _operations(item):
            _tell_key(method, operation)
            _forget_null(operation)
            responses = operation.setdefault("responses", {})
            refused = {one: responses.pop(one) for one in list(responses) if one[0] in "45"}
            _complete_headers(responses)
            responses |= refusals(path, method, operation, own=_of_this_route(refused))
    return document


def _renamed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with ``Page_Person`` in place of ``Page_services.….Person_``."""
    text = _GENERIC_NAME.sub(rb"\1_\2", msgspec.json.encode(document))
    renamed: dict[str, Any] = msgspec.json.decode(text)
    return renamed


def _complete_headers(responses: Mapping[str, Any]) -> None:
    # Litestar leaves out the schema of a header without an example; the standard demands one.
    for response in responses.values():
        for header in response.get("headers", {}).values():
            header.setdefault("schema", {"type": "string"})


def _of_this_route(refused: Mapping[str, Any]) -> dict[str, str]:
    """Return what the route tells of its own refusals; of 400 Litestar tells, by itself."""
    return {status: one["description"] for status, one in refused.items() if status != "400"}


def _operations(item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, operation in item.items():
        if name in {"get", "put", "post", "delete", "patch", "head"}:
            yield name, operation


def _tell_key(method: str, operation: dict[str, Any]) -> None:
    """Describe the ``Idempotency-Key`` of a write that does not describe it itself."""
    scopes = {scope for way in operation.get("security", ()) for name in way for scope in way[name]}
    is_written = method.upper() in WRITING and any(not one.endswith(":read") for one in scopes)
    parameters = operation.setdefault("parameters", [])
    if is_written and all(one["name"] != HEADER for one in parameters):
        parameters.append(PARAMETER)
    if not parameters:
        del operation["parameters"]


def _forget_null(operation: Mapping[str, Any]) -> None:
    """Describe optional parameters by what they may be: a URL or a header cannot hold null."""
    for parameter in operation.get("parameters", ()):
        schema = parameter["schema"]
        given = [one for one in schema.get("oneOf", ()) if one != {"type": "null"}]
        if len(given) == 1:
            del schema["oneOf"]
            schema.update(given[0])


def _document_scope(handler: Any, path: str) -> None:
    guards = [g for layer in handler.ownership_layers for g in layer.guards or []]
    requirements = [guard for guard in guards if isinstance(guard, Requirement)]
    if not requirements and handler.http_methods != {"OPTIONS"}:
        raise UnguardedRouteError(path)
    scopes = [one.scope for one in requirements if one.scope is not None]
    if scopes:
        handler.security = [{name: scopes} for name in SECURITY_SCHEMES]


def _document_summary(handler: HTTPRouteHandler) -> None:
    if handler.summary is None and handler.fn.__doc__ is not None:
        clause = _CLAUSE_END.split(handler.fn.__doc__, maxsplit=1)[0]
        handler.summary = " ".join(clause.split())


@functools.cache
def _static(name: str) -> bytes:
    return (_STATIC / name).read_bytes()
