"""Builds the planner's process: the only place that opens its pool and its broker."""

from services.planner.wiring.process import ROLES, run
from services.planner.wiring.resources import MIGRATIONS, NAME, PLANNING

__all__ = [
    "MIGRATIONS",
    "NAME",
    "PLANNING",
    "ROLES",
    "run",
]
