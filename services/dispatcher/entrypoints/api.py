"""The dispatcher's HTTP application."""

from litestar import Litestar

from contracts.topology import EVENTS
from libs.broker import Publisher
from libs.clock import Clock
from libs.httpapi.app import create_app
from libs.httpapi.edge import NO_EDGE, Edge
from libs.httpapi.feed import feed_route
from libs.httpapi.keys import ApiKeys
from libs.outbox.feed import OutboxFeed
from libs.postgres.types import Pool
from libs.runtime.health import Health
from libs.runtime.stopping import current_stopping
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.entrypoints import (
    delivery_routes,
    report_routes,
    set_aside_routes,
    suppression_routes,
    template_routes,
    unsubscribe_routes,
)
from services.dispatcher.entrypoints.report_routes import ReportSecret

TITLE = "Jubilee dispatcher"
VERSION = "0.2.0"

ROUTES = (
    delivery_routes.ROUTES,
    report_routes.ROUTES,
    set_aside_routes.ROUTES,
    suppression_routes.ROUTES,
    template_routes.ROUTES,
    unsubscribe_routes.ROUTES,
)


def create_api(
    *,
    pool: Pool,
    clock: Clock,
    publisher: Publisher,
    greetings: Greetings,
    writer: MimeWriter,
    auth: ApiKeys,
    health: Health,
    report_secret: str | None = None,
    edge: Edge = NO_EDGE,
) -> Litestar:
    """Return the application with all routes."""
    feed = OutboxFeed(pool.acquire, exchange=EVENTS)
    return create_app(
        [*ROUTES, feed_route(feed, current_stopping())],
        title=TITLE,
        version=VERSION,
        auth=auth,
        health=health,
        edge=edge,
        pool=pool,
        clock=clock,
        publisher=publisher,
        greetings=greetings,
        writer=writer,
        report_secret=ReportSecret(report_secret.encode() if report_secret else None),
    )
