"""Opens the connections of a process: one to publish on, and one to consume on if it does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import aio_pika
from aio_pika.abc import AbstractRobustConnection

from libs.broker.messages import Handler
from libs.broker.publisher import ConfirmingPublisher
from libs.resilience import connecting

if TYPE_CHECKING:
    from libs.broker.consuming import Consuming

_HEARTBEAT_S = 10
_CONNECT_TIMEOUT_S = 5.0


class ExchangeLike(Protocol):
    """A topic exchange to declare."""

    @property
    def name(self) -> str: ...


class QueueLike(Protocol):
    """A queue to declare and bind."""

    @property
    def name(self) -> str: ...
    @property
    def exchange(self) -> str: ...
    @property
    def routing_keys(self) -> Sequence[str]: ...
    @property
    def arguments(self) -> Mapping[str, str | int]: ...


class Broker:
    """One process's way to RabbitMQ."""

    def __init__(
        self,
        publishing: AbstractRobustConnection,
        url: str,
        *,
        unheard: frozenset[str] = frozenset(),
    ) -> None:
        self._publishing = publishing
        self._url = url
        self._consuming: Consuming | None = None
        self._connecting = asyncio.Lock()
        self.publisher = ConfirmingPublisher(publishing, unheard=unheard)

    async def declare(self, exchanges: Sequence[ExchangeLike], queues: Sequence[QueueLike]) -> None:
        """Declare all of it; repeating it changes nothing.

        Raises:
            aio_pika.exceptions.ChannelPreconditionFailed: a queue exists with other arguments.
        """
        async with self._publishing.channel() as channel:
            for exchange in exchanges:
                await channel.declare_exchange(
                    exchange.name, aio_pika.ExchangeType.TOPIC, durable=True
                )
            for queue in queues:
                declared = await channel.declare_queue(
                    queue.name, durable=True, arguments=dict(queue.arguments)
                )
                for key in queue.routing_keys:
                    await declared.bind(queue.exchange, routing_key=key)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 4) -> None:
        """Hand messages of ``queue`` to ``handler``, at most ``prefetch`` at a time, until drained.

        A lost connection is made again and consuming goes on. What was in hand is finished, and
        delivered again beside that.
        """
        consuming = await self._consuming_connection()
        await consuming.consume(queue, handler, prefetch=prefetch)

    async def drain(self) -> None:
        """Take nothing new and wait for the messages in hand."""
        if self._consuming is not None:
            await self._consuming.drain()

    async def is_reachable(self) -> bool:
        """Tell whether every connection answers."""
        if not self._publishing.connected.is_set():
            return False
        return self._consuming is None or await self._consuming.is_reachable()

    async def close(self) -> None:
        """Wait for the messages in hand, then close all connections."""
        await self.drain()
        if self._consuming is not None:
            await self._consuming.close()
        await self._publishing.close()

    async def _consuming_connection(self) -> "Consuming":
        """Return the connection to consume on, made for the first queue.

        FastStream is imported with it: who only publishes holds neither.
        """
        async with self._connecting:
            if self._consuming is None:
                from libs.broker.consuming import Consuming  # noqa: PLC0415

                consuming = Consuming(self._url, self.publisher)
                await consuming.start()
                self._consuming = consuming
        return self._consuming


@contextlib.asynccontextmanager
async def open_broker(
    url: str, *, name: str, unheard: frozenset[str] = frozenset()
) -> AsyncIterator[Broker]:
    """Yield the way to the broker at ``url``, waiting for a server that is not up yet.

    Messages with a routing key in ``unheard`` may be published although no queue takes them.
    """
    url = _with_heartbeat(url)
    publishing = await connecting(lambda: _connect(url, name), to="rabbitmq")
    broker = Broker(publishing, url, unheard=unheard)
    try:
        yield broker
    finally:
        await broker.close()


async def _connect(url: str, name: str) -> AbstractRobustConnection:
    return await aio_pika.connect_robust(
        url,
        timeout=_CONNECT_TIMEOUT_S,
        reconnect_interval=1.0,
        client_properties={"connection_name": f"{name} publisher"},
    )


def _with_heartbeat(url: str) -> str:
    """Dead peers are noticed after three heartbeats; the client's default is a minute each."""
    if "heartbeat=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}heartbeat={_HEARTBEAT_S}"
