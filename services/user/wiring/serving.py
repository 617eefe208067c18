"""The HTTP API of a process that has the role ``api``; imported by no other."""

from datetime import timedelta

from litestar import Litestar

from contracts.kinds import KINDS
from libs.clock import Clock
from libs.httpapi.edge import Edge, EdgeSettings, open_edge
from libs.httpapi.keys import ApiKeys
from libs.postgres.replica import Replica
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.user.adapters.store import Store
from services.user.entrypoints.api import create_api
from services.user.entrypoints.person_routes import Terms
from services.user.settings import UserSettings


def make_api(
    settings: UserSettings,
    store: Store,
    clock: Clock,
    *,
    auth: ApiKeys,
    health: Health,
    replica: Replica | None,
) -> Litestar:
    """Return the application with all routes."""
    return create_api(
        store=store,
        clock=clock,
        terms=Terms(
            frozenset(KINDS),
            timedelta(days=settings.retention_days),
            settings.planner_url.rstrip("/"),
        ),
        import_batch_lines=settings.import_batch_lines,
        auth=auth,
        health=health,
        edge=_edge(settings, store.pool),
        replica=replica,
    )


def _edge(settings: UserSettings, pool: Pool) -> Edge:
    return open_edge(
        pool,
        EdgeSettings(
            prefix="USER",
            rate_per_s=settings.rate_per_s,
            rate_burst=settings.rate_burst,
            trusted_proxies=settings.trusted_proxies,
            jwt_issuer=settings.jwt_issuer,
            jwt_audience=settings.jwt_audience,
            jwt_jwks=settings.jwt_jwks,
        ),
        are_answers_kept=False,
    )
