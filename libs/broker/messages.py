"""What a consumer is handed, and how it answers."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """One message as it came from ``queue``.

    ``type_name`` is the type of the events in ``body``. ``is_redelivered`` says that it was
    delivered before, to us or to someone else, and not acknowledged; ``redeliveries`` how often.
    ``dead_reason`` is why the broker gave it up, where it comes from a dead-letter queue.
    """

    queue: str
    type_name: str
    body: bytes
    message_id: str
    is_redelivered: bool
    redeliveries: int = 0
    traceparent: str | None = None
    dead_reason: str | None = None


class Reject(Exception):  # noqa: N818
    """The consumer can never deal with this message: it goes to the dead-letter queue."""


class Later(Exception):  # noqa: N818
    """The consumer cannot deal with this message now, whatever is in it: it goes to the end of its
    queue, and the broker does not count that as a failure of the message."""


Handler = Callable[[Delivery], Awaitable[None]]
"""Deals with one message. Returning acknowledges it, so everything must be committed by then;
``Reject`` gives it up; any other exception has it delivered again, ``Later`` uncounted."""


def redeliveries(headers: dict[str, Any], *, is_redelivered: bool) -> int:
    """Return how often a quorum queue has delivered a message before."""
    counted = headers.get("x-delivery-count")
    return counted if isinstance(counted, int) else int(is_redelivered)


def dead_reason(headers: dict[str, Any]) -> str | None:
    """Return why the broker gave a message up (``rejected``, ``delivery_limit``), if it did."""
    deaths = headers.get("x-death")
    if not isinstance(deaths, list) or not deaths:
        return None
    first = deaths[0]
    return str(first.get("reason", "unknown")) if isinstance(first, dict) else "unknown"
