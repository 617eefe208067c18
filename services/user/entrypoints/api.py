"""The HTTP API of the user service."""

from litestar import Litestar, Router

from libs.clock import Clock
from libs.httpapi.app import create_app
from libs.httpapi.edge import NO_EDGE, Edge
from libs.httpapi.feed import feed_route
from libs.httpapi.keys import ApiKeys
from libs.postgres.replica import Replica
from libs.runtime.health import Health
from libs.runtime.stopping import current_stopping
from services.user.adapters.feed import PeopleFeed
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Store
from services.user.app.reader import Reader
from services.user.entrypoints.export_routes import EXPORT_ROUTES
from services.user.entrypoints.import_route import import_people
from services.user.entrypoints.person_routes import PERSON_ROUTES, Terms
from services.user.entrypoints.refusals import refusal_handlers
from services.user.entrypoints.search_routes import SEARCH_ROUTES

TITLE = "Jubilee users"
VERSION = "0.2.0"


def create_api(
    *,
    store: Store,
    clock: Clock,
    terms: Terms,
    import_batch_lines: int,
    auth: ApiKeys,
    health: Health,
    edge: Edge = NO_EDGE,
    replica: Replica | None = None,
) -> Litestar:
    """Return the application with all routes of this service."""
    routes = Router(
        "/",
        route_handlers=[
            *PERSON_ROUTES,
            *SEARCH_ROUTES,
            *EXPORT_ROUTES,
            import_people,
            feed_route(PeopleFeed(store), current_stopping()),
        ],
        exception_handlers=refusal_handlers(),
    )
    return create_app(
        [routes],
        title=TITLE,
        version=VERSION,
        auth=auth,
        health=health,
        edge=edge,
        store=store,
        reader=Reader(store, replica),
        registrations=Registrations(store),
        clock=clock,
        terms=terms,
        import_batch_lines=import_batch_lines,
    )
