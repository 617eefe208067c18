"""What a feed of events is made of, whoever reads it and wherever it is kept."""

from collections.abc import Sequence
from typing import Protocol

import msgspec


class Entry(msgspec.Struct, frozen=True):
    """One event: where the feed stands after it, its type, and the CloudEvent as JSON."""

    position: str
    type: str
    event: bytes


class Slice(msgspec.Struct, frozen=True):
    """A part of the feed; ``next`` is where it stands after everything that was looked at."""

    entries: Sequence[Entry]
    next: str | None
    has_more: bool


class Feed(Protocol):
    """Events in the order of their positions, closed ones only: nothing ever appears before."""

    async def read(self, after: str | None, *, limit: int, types: frozenset[str]) -> Slice:
        """Return up to ``limit`` events after a position, of ``types``, or of all where empty.

        Raises:
            BadPositionError: ``after`` is no position of this feed.
            PositionGoneError: events after it are no longer kept.
        """
        ...


class BadPositionError(Exception):
    """The text is no position of this feed."""


class PositionGoneError(Exception):
    """What followed the position is no longer kept: begin again from the beginning."""
