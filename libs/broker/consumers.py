"""The subscriptions of a process, consumed until it drains."""

import asyncio
from collections.abc import Sequence
from typing import Protocol

import msgspec

from libs.broker.messages import Handler


class Consuming(Protocol):
    """What a broker does for consumers."""

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 4) -> None:
        """Hand messages of ``queue`` to ``handler``."""
        ...

    async def drain(self) -> None:
        """Take nothing new and wait for what is in hand."""
        ...


class Subscription(msgspec.Struct, frozen=True):
    """A queue and what to do with its messages, ``prefetch`` at a time."""

    queue: str
    handler: Handler
    prefetch: int


class Consumers:
    """All subscriptions of one process; draining finishes what is in hand."""

    name = "consumers"

    def __init__(self, broker: Consuming, subscriptions: Sequence[Subscription]) -> None:
        self._broker = broker
        self._subscriptions = subscriptions
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        """Consume until ``stop``; return when the last message in hand is answered."""
        for subscription in self._subscriptions:
            await self._broker.consume(
                subscription.queue, subscription.handler, prefetch=subscription.prefetch
            )
        await self._stopped.wait()
        await self._broker.drain()

    async def stop(self) -> None:
        """Take nothing new from now on."""
        self._stopped.set()
