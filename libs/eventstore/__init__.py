"""Event streams: expected versions and sealed personal data."""

from libs.eventstore.errors import WrongExpectedVersionError

__all__ = ["WrongExpectedVersionError"]
