"""The HTTP side of a dispatcher process."""

from litestar import Litestar

from libs.httpapi.auth import ApiKeys
from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.dispatcher.entrypoints.api import create_api, create_silent_api
from services.dispatcher.settings import DispatcherSettings
from services.dispatcher.wiring.resources import NAME, Resources


def make_app(
    settings: DispatcherSettings,
    roles: frozenset[str],
    resources: Resources,
    *,
    auth: ApiKeys,
    health: Health,
) -> Litestar:
    """Return the routes of the role ``api``; without it, what every process answers."""
    if "api" not in roles:
        return create_silent_api(auth=auth, health=health)
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
