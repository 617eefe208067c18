"""The dispatcher's HTTP application."""

from litestar import Litestar

from libs.broker import Publisher
from libs.clock import Clock
from libs.httpapi.app import create_app
from libs.httpapi.auth import ApiKeys
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.entrypoints import (
    delivery_routes,
    set_aside_routes,
    suppression_routes,
)

TITLE = "Jubilee dispatcher"
VERSION = "1.0.0"

ROUTES = (delivery_routes.ROUTES, set_aside_routes.ROUTES, suppression_routes.ROUTES)


def create_api(
    *,
    pool: Pool,
    clock: Clock,
    publisher: Publisher,
    greetings: Greetings,
    auth: ApiKeys,
    health: Health,
) -> Litestar:
    """Return the application with all routes."""
    return create_app(
        ROUTES,
        title=TITLE,
        version=VERSION,
        auth=auth,
        health=health,
        pool=pool,
        clock=clock,
        publisher=publisher,
        greetings=greetings,
    )


def create_silent_api(*, auth: ApiKeys, health: Health) -> Litestar:
    """Return the application of a process without the role ``api``: health and metrics only."""
    return create_app([], title=TITLE, version=VERSION, auth=auth, health=health)
