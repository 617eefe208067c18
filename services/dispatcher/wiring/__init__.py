"""Builds the dispatcher's process: the only place that opens its pool, broker and provider."""

from services.dispatcher.wiring.mail import make_provider
from services.dispatcher.wiring.process import ROLES, run
from services.dispatcher.wiring.resources import MIGRATIONS, NAME, PLANNING

__all__ = ["MIGRATIONS", "NAME", "PLANNING", "ROLES", "make_provider", "run"]
