"""A publisher that remembers, and fails when told to."""

from typing import Any

import msgspec

from contracts import codec
from contracts.envelope import Event
from libs.broker import PublishError


class Published(msgspec.Struct, frozen=True):
    """One message that was published."""

    exchange: str
    routing_key: str
    body: bytes
    items: int
    message_id: str
    type_name: str

    def events(self) -> list[Event[Any]]:
        """Return what is in it."""
        return codec.decode(self.type_name, self.body)


class FakePublisher:
    """Keeps what it is given; refuses the routing keys in ``refused``."""

    def __init__(self) -> None:
        self.published: list[Published] = []
        self.refused: set[str] = set()

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        items: int,
        message_id: str,
        type_name: str | None = None,
        traceparent: str | None = None,  # noqa: ARG002
    ) -> None:
        if routing_key in self.refused:
            raise PublishError(routing_key, "refused by the test")
        self.published.append(
            Published(exchange, routing_key, body, items, message_id, type_name or routing_key)
        )

    def events(self) -> list[Event[Any]]:
        """Return everything published, in order."""
        return [event for message in self.published for event in message.events()]
