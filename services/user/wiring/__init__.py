"""Builds the user service's process: the only place that opens its pool and its broker."""

from services.user.wiring.process import MIGRATIONS, NAME, PLANNING, ROLES, migrate, run

__all__ = ["MIGRATIONS", "NAME", "PLANNING", "ROLES", "migrate", "run"]
