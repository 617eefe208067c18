"""A broker in the test's hands: messages wait until the test delivers them, in its order."""

from collections.abc import Awaitable, Callable

import msgspec

from contracts import topology
from libs.broker import Delivery, PublishError


class Message(msgspec.Struct, kw_only=True):
    """One message in one queue."""

    type_name: str
    body: bytes
    message_id: str
    deliveries: int = 0


class ModelBroker:
    """Queues as the topology binds them. ``seen`` is told of every message before it is kept."""

    def __init__(self) -> None:
        self.queues: dict[str, list[Message]] = {queue.name: [] for queue in topology.WORK_QUEUES}
        self.seen: Callable[[str, bytes], Awaitable[None]] | None = None
        self.confirms_lost = 0
        self.refusals = 0

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        items: int,  # noqa: ARG002
        message_id: str,
        type_name: str | None = None,
        traceparent: str | None = None,  # noqa: ARG002
    ) -> None:
        """Keep the message in every queue bound to it.

        Raises:
            PublishError: it was refused, or kept and the confirm lost.
        """
        if self.refusals:
            self.refusals -= 1
            raise PublishError(routing_key, "refused by the model")
        name = type_name or routing_key
        if self.seen is not None:
            await self.seen(name, body)
        for queue in topology.WORK_QUEUES:
            if queue.exchange == exchange and any(
                _matches(key, routing_key) for key in queue.routing_keys
            ):
                self.queues[queue.name].append(
                    Message(type_name=name, body=body, message_id=message_id)
                )
        if self.confirms_lost:
            self.confirms_lost -= 1
            raise PublishError(routing_key, "the confirm was lost")

    def delivery(self, queue: str, message: Message) -> Delivery:
        """Return the message as a consumer gets it."""
        message.deliveries += 1
        return Delivery(
            queue=queue,
            type_name=message.type_name,
            body=message.body,
            message_id=message.message_id,
            is_redelivered=message.deliveries > 1,
        )

    @property
    def is_empty(self) -> bool:
        """Whether no message waits anywhere."""
        return not any(self.queues.values())


def _matches(pattern: str, routing_key: str) -> bool:
    """Tell whether a topic pattern (``*`` is one word) fits."""
    words, given = pattern.split("."), routing_key.split(".")
    return len(words) == len(given) and all(
        word in {"*", one} for word, one in zip(words, given, strict=True)
    )
