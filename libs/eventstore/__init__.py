"""Event streams: expected versions, sealed personal data, upcasts of old events."""

from libs.eventstore.errors import WrongExpectedVersionError

__all__ = ["WrongExpectedVersionError"]
