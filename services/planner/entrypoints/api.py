"""The planner's HTTP application."""

from collections.abc import Mapping

from litestar import Litestar

from contracts.kinds import Kind
from libs.broker import Publisher
from libs.clock import Clock
from libs.httpapi.app import create_app
from libs.httpapi.edge import NO_EDGE, Edge
from libs.httpapi.keys import ApiKeys
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.planner.entrypoints import (
    expired_routes,
    explain_routes,
    hold_routes,
    occurrence_routes,
    plan_routes,
    set_aside_routes,
    simulation_routes,
)
from services.planner.entrypoints.simulation_requests import ZoneReleases
from services.planner.entrypoints.simulation_routes import OneAtATime

TITLE = "Jubilee planner"
VERSION = "0.2.0"

ROUTES = (
    plan_routes.ROUTES,
    expired_routes.ROUTES,
    occurrence_routes.ROUTES,
    explain_routes.ROUTES,
    hold_routes.ROUTES,
    simulation_routes.ROUTES,
    set_aside_routes.ROUTES,
)


def create_api(
    *,
    pool: Pool,
    clock: Clock,
    publisher: Publisher,
    kinds: Mapping[str, Kind],
    auth: ApiKeys,
    health: Health,
    edge: Edge = NO_EDGE,
    zone_releases: str | None = None,
) -> Litestar:
    """Return the application with all routes."""
    return create_app(
        ROUTES,
        title=TITLE,
        version=VERSION,
        auth=auth,
        health=health,
        edge=edge,
        pool=pool,
        clock=clock,
        publisher=publisher,
        kinds=kinds,
        zone_releases=ZoneReleases(zone_releases),
        simulations=OneAtATime(),
    )
