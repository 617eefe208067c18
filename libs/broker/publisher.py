"""Publishes with confirms: returning means that the broker keeps the message in a queue."""

import asyncio
from typing import Protocol

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractRobustConnection
from aio_pika.exceptions import AMQPError

CONTENT_TYPE = "application/cloudevents-batch+json"
CONFIRM_TIMEOUT_S = 5.0

LOST = (AMQPError, OSError, RuntimeError, TimeoutError)
"""What a connection, a channel or the broker's refusal looks like from here."""


class PublishError(Exception):
    """Nobody confirmed the message; it may have arrived all the same. Publish it again."""

    def __init__(self, routing_key: str, cause: str) -> None:
        super().__init__(f"{routing_key} was not confirmed: {cause}")
        self.routing_key = routing_key
        self.cause = cause


class Publisher(Protocol):
    """Publishes one message at a time; calls may overlap."""

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        items: int,
        message_id: str,
        type_name: str | None = None,
        traceparent: str | None = None,
    ) -> None:
        """Return once at least one queue keeps the message.

        ``type_name`` is the type of the events in ``body``, by default the routing key; ``items``
        is how many they are. An empty ``exchange`` addresses the queue named by the routing key.

        Raises:
            PublishError: refused, unroutable, timed out or cut off.
        """
        ...


class ConfirmingPublisher:
    """A publisher on a connection of its own.

    Apart from consumers, because a broker that runs out of memory or disk blocks publishing
    connections whole, acknowledgements included.
    """

    def __init__(self, connection: AbstractRobustConnection) -> None:
        self._connection = connection
        self._channel: AbstractChannel | None = None
        self._opening = asyncio.Lock()

    async def publish(
        self,
        exchange: str,
        routing_key: str,
        body: bytes,
        *,
        items: int,
        message_id: str,
        type_name: str | None = None,
        traceparent: str | None = None,
    ) -> None:
        headers = {"items": str(items)}
        if traceparent is not None:
            headers["traceparent"] = traceparent
        message = Message(
            body,
            headers=dict(headers),
            content_type=CONTENT_TYPE,
            delivery_mode=DeliveryMode.PERSISTENT,
            message_id=message_id,
            type=type_name or routing_key,
        )
        channel: AbstractChannel | None = None
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                channel = await self._open_channel()
                target = (
                    await channel.get_exchange(exchange, ensure=False)
                    if exchange
                    else channel.default_exchange
                )
                await target.publish(message, routing_key, mandatory=True)
        except asyncio.CancelledError:
            await self._forget(channel)
            if _is_ours():
                raise
            # aiormq cancels pending publishes when a heartbeat fails; that is no wish of ours.
            raise PublishError(routing_key, "connection lost") from None
        except LOST as error:
            # Whatever it was, nobody confirmed. A channel opened while the leader of a queue was
            # dying refuses everything for ever, so the next publish gets a fresh one.
            await self._forget(channel)
            raise PublishError(routing_key, type(error).__name__) from error

    async def _open_channel(self) -> AbstractChannel:
        async with self._opening:
            if self._channel is None or self._channel.is_closed:
                self._channel = await self._connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
            return self._channel

    async def _forget(self, channel: AbstractChannel | None) -> None:
        """Take a new channel for the next publish; what is under way on this one goes on."""
        if self._channel is channel:
            self._channel = None


def _is_ours() -> bool:
    """Tell whether somebody asked this task to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
