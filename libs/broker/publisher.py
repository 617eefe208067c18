"""Publishes with confirms: returning means that the broker keeps the message in a queue."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import msgspec
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractRobustConnection
from aio_pika.exceptions import AMQPError

CONTENT_TYPE = "application/cloudevents-batch+json"
CONFIRM_TIMEOUT_S = 5.0
_CLOSE_TIMEOUT_S = 1.0

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


class _Lane(msgspec.Struct):
    """A channel, how many publishes wait on it, and whether it takes new ones."""

    channel: AbstractChannel
    waiting: int = 0
    is_retired: bool = False


class ConfirmingPublisher:
    """A publisher on a connection of its own.

    Apart from consumers, because a broker that runs out of memory or disk blocks publishing
    connections whole, acknowledgements included. ``unheard`` are the routing keys that need no
    queue: nobody may be listening.
    """

    def __init__(
        self, connection: AbstractRobustConnection, *, unheard: frozenset[str] = frozenset()
    ) -> None:
        self._connection = connection
        self._unheard = unheard
        self._lane: _Lane | None = None
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
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S), self._on_a_channel() as channel:
                target = (
                    await channel.get_exchange(exchange, ensure=False)
                    if exchange
                    else channel.default_exchange
                )
                is_mandatory = routing_key not in self._unheard
                await target.publish(message, routing_key, mandatory=is_mandatory)
        except asyncio.CancelledError:
            if _is_ours():
                raise
            # aiormq cancels pending publishes when a heartbeat fails; that is no wish of ours.
            raise PublishError(routing_key, "connection lost") from None
        except LOST as error:
            raise PublishError(routing_key, type(error).__name__) from error

    @asynccontextmanager
    async def _on_a_channel(self) -> AsyncIterator[AbstractChannel]:
        """Yield the channel in use; after a failure it takes nothing new.

        Whatever it was, nobody confirmed. A channel opened while the leader of a queue was dying
        refuses everything for ever, so the next publish gets a fresh one.
        """
        lane = await self._take_lane()
        is_confirmed = False
        try:
            yield lane.channel
            is_confirmed = True
        finally:
            lane.is_retired |= not is_confirmed
            lane.waiting -= 1
            if lane.is_retired and lane.waiting == 0:
                await _close(lane.channel)

    async def _take_lane(self) -> _Lane:
        async with self._opening:
            lane = self._lane
            if lane is None or lane.is_retired or lane.channel.is_closed:
                channel = await self._connection.channel(
                    publisher_confirms=True, on_return_raises=True
                )
                lane = self._lane = _Lane(channel)
            lane.waiting += 1
            return lane


async def _close(channel: AbstractChannel) -> None:
    """Close a channel nobody waits on: left open, each would count until the broker refuses more.

    Not before, because what was under way on it beside the failure may still be confirmed.
    """
    with suppress(*LOST):
        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
            await channel.close()


def _is_ours() -> bool:
    """Tell whether somebody asked this task to stop."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
