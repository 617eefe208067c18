"""The HTTP API of a dispatcher process that has the role ``api``; imported by no other."""

from litestar import Litestar

from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.httpapi.keys import ApiKeys
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.dispatcher.entrypoints.api import create_api
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.resources import NAME, Resources


def make_api(
    settings: DispatcherSettings, resources: Resources, *, auth: ApiKeys, health: Health
) -> Litestar:
    """Return the application with all routes."""
    return create_api(
        pool=resources.pool,
        clock=resources.clock,
        publisher=resources.broker.publisher,
        greetings=resources.greetings,
        writer=resources.writer,
        report_secret=settings.reports_secret,
        auth=auth,
        health=health,
        edge=_edge(settings, resources.pool),
    )


def _edge(settings: DispatcherSettings, pool: Pool) -> Edge:
    return open_edge(
        pool,
        EdgeSettings(
            prefix=NAME.upper(),
            rate_per_s=settings.rate_per_s,
            rate_burst=settings.rate_burst,
            trusted_proxies=settings.trusted_proxies,
            jwt_issuer=settings.jwt_issuer,
            jwt_audience=settings.jwt_audience,
            jwt_jwks=settings.jwt_jwks,
        ),
        are_answers_kept=True,
    )
