"""The OpenAPI description of every service, from its routes; nothing is connected."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

from litestar import Litestar

from contracts.kinds import KINDS
from libs.clock import FrozenClock
from libs.httpapi.docs import openapi_document
from libs.httpapi.keys import ApiKeys
from libs.runtime.health import Health
from services.dispatcher.entrypoints.api import create_api as create_dispatcher_api
from services.planner.entrypoints.api import create_api as create_planner_api
from services.user.entrypoints.api import create_api as create_user_api
from services.user.entrypoints.person_routes import Terms


class _Unused:
    """Stands in for what routes are handed at run time: they are described by their types."""

    def __getattr__(self, _: str) -> "_Unused":
        return self


_UNUSED = cast("Any", _Unused())


def openapi_documents() -> dict[str, dict[str, Any]]:
    """Return the OpenAPI 3.1 document of each service, by the service's name."""
    clock = FrozenClock(datetime(2026, 1, 1, tzinfo=UTC))
    auth, health = ApiKeys([]), Health()
    apps: dict[str, Litestar] = {
        "user": create_user_api(
            store=_UNUSED,
            clock=clock,
            terms=Terms(frozenset(KINDS), timedelta(days=30)),
            import_batch_lines=1000,
            auth=auth,
            health=health,
        ),
        "planner": create_planner_api(
            pool=_UNUSED, clock=clock, publisher=_UNUSED, kinds=KINDS, auth=auth, health=health
        ),
        "dispatcher": create_dispatcher_api(
            pool=_UNUSED, clock=clock, publisher=_UNUSED, greetings=_UNUSED, writer=_UNUSED,
            auth=auth, health=health,
        ),
    }  # fmt: skip
    return {name: _in_order(openapi_document(app)) for name, app in apps.items()}


def _in_order(document: dict[str, Any]) -> dict[str, Any]:
    """Return ``document`` with what is gathered in any order sorted: paths, schemas, headers."""
    components = document["components"]
    schemas = dict(sorted(components["schemas"].items()))
    paths = {path: _headers_in_order(item) for path, item in sorted(document["paths"].items())}
    return document | {"paths": paths, "components": components | {"schemas": schemas}}


def _headers_in_order(node: Any) -> Any:
    if isinstance(node, list):
        return [_headers_in_order(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        key: dict(sorted(value.items())) if key == "headers" else _headers_in_order(value)
        for key, value in node.items()
    }
