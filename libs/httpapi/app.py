"""The HTTP application every service starts from."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeAlias, TypeVar

from litestar import Litestar
from litestar.di import Dependency, Provide
from litestar.openapi import OpenAPIConfig
from litestar.params import SkipValidationMarker
from litestar.routes import HTTPRoute
from litestar.types import ControllerRouterHandler

from libs.httpapi.admission import Admission
from libs.httpapi.answers.remembering import Remembering
from libs.httpapi.auth import Callers
from libs.httpapi.bodies import MAX_BODY_BYTES, JsonRequest
from libs.httpapi.compression import Compressed
from libs.httpapi.docs import NoPages, RoutesInDocs, docs_routes
from libs.httpapi.edge import NO_EDGE, Edge
from libs.httpapi.keys import ApiKeys
from libs.httpapi.middleware import MAX_UNDER_WAY, Limited, Observed
from libs.httpapi.operations import Operations
from libs.httpapi.problems import exception_handlers
from libs.runtime.health import Health

T = TypeVar("T")

Provided: TypeAlias = Annotated[T, Dependency(kind="named"), SkipValidationMarker()]
"""Marks a handler's parameter that ``create_app`` was given under the same name."""


def create_app(
    route_handlers: Sequence[ControllerRouterHandler],
    *,
    title: str,
    version: str,
    auth: ApiKeys,
    health: Health,
    edge: Edge = NO_EDGE,
    max_under_way: int = MAX_UNDER_WAY,
    **provided: Any,
) -> Litestar:
    """Return the application: the given routes, health, metrics and documentation.

    ``edge`` is what all processes of the service share about their callers. Every route carries
    the guard ``require(scope)`` or ``PUBLIC``. Every refusal and error is a
    problem. Bodies are at most 64 KiB unless the route says ``request_max_body_size``. Whatever
    is in ``provided`` reaches handlers by its name, as ``pool: Provided[Pool]``.
    """
    app = Litestar(
        [*route_handlers, *docs_routes()],
        dependencies={name: _given(value) for name, value in provided.items()},
        exception_handlers=exception_handlers(),
        logging_config=None,
        openapi_config=_openapi(title, version),
        plugins=[RoutesInDocs()],
        request_class=JsonRequest,
        request_max_body_size=MAX_BODY_BYTES,
    )
    _give_in_turn(app)
    # Around Litestar's own handling, so that unmatched routes and errors are seen as well.
    inner = app.asgi_handler
    if edge.answers is not None:
        inner = Remembering(inner, edge.answers)
    admitted = Admission(Compressed(inner), Callers(auth, edge.tokens), edge.limits)
    limited = Limited(admitted, max_under_way=max_under_way)
    # Operators are answered before anybody is counted: they ask most when there is too much.
    app.asgi_handler = Observed(Operations(health, limited))
    return app


def _openapi(title: str, version: str) -> OpenAPIConfig:
    return OpenAPIConfig(
        title=title,
        version=version,
        openapi_router=NoPages("/schema", route_handlers=[]),
        use_handler_docstrings=True,
    )


def _give_in_turn(app: Litestar) -> None:
    """Have what is provided given one after the other.

    Litestar starts a task for each of several things, which for values that are there already
    takes a twelfth of a request.
    """
    for route in app.routes:
        if isinstance(route, HTTPRoute):
            for _, model in route.route_handler_map.values():
                in_turn = [{one} for several in model.dependency_batches for one in several]
                model.dependency_batches = in_turn


def _given(value: Any) -> Provide:
    return Provide(lambda: value, sync_to_thread=False, use_cache=True)
