"""Opens the two connections of a process: one to publish on, one to consume on."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue, AbstractRobustConnection

from libs.broker.messages import Delivery, Handler, Later, Reject, dead_reason, redeliveries
from libs.broker.publisher import LOST, ConfirmingPublisher, Publisher, PublishError
from libs.resilience import connecting

logger = logging.getLogger(__name__)

_HEARTBEAT_S = 10
_CONNECT_TIMEOUT_S = 5.0
_REDELIVERY_PAUSE_S = 1.0
_CANCEL_TIMEOUT_S = 5.0
_DRAIN_TIMEOUT_S = 40.0


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
        consuming: AbstractRobustConnection,
        *,
        unheard: frozenset[str] = frozenset(),
    ) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._consumed: list[tuple[AbstractQueue, str]] = []
        self._is_draining = False
        self._in_hand: set[asyncio.Task[Any]] = set()
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
        channel = await self._consuming.channel(publisher_confirms=False)
        await channel.set_qos(prefetch_count=prefetch)
        source = await channel.declare_queue(queue, passive=True)

        async def take(message: AbstractIncomingMessage) -> None:
            if self._is_draining:
                return  # not acknowledged: it is delivered again, to somebody who goes on
            # aiormq cancels the callers of consumers when their channel dies. What was begun is
            # finished all the same: cut off in a call to a provider it would end as unknown.
            task = asyncio.create_task(_deal_with(message, queue, handler, self.publisher))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)
            await asyncio.shield(task)

        self._consumed.append((source, await source.consume(take)))

    async def drain(self) -> None:
        """Take nothing new and wait for the messages in hand."""
        self._is_draining = True
        await self._cancel_consumers()
        if pending := {task for task in self._in_hand if not task.done()}:
            await asyncio.wait(pending, timeout=_DRAIN_TIMEOUT_S)

    async def is_reachable(self) -> bool:
        """Tell whether both connections answer."""
        return self._publishing.connected.is_set() and self._consuming.connected.is_set()

    async def _cancel_consumers(self) -> None:
        """Have nothing more delivered. A channel that is gone delivers nothing anyway."""
        consumed, self._consumed = self._consumed, []
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CANCEL_TIMEOUT_S):
                cancelling = (queue.cancel(tag) for queue, tag in consumed)
                await asyncio.gather(*cancelling, return_exceptions=True)


@contextlib.asynccontextmanager
async def open_broker(
    url: str, *, name: str, unheard: frozenset[str] = frozenset()
) -> AsyncIterator[Broker]:
    """Yield the way to the broker at ``url``, waiting for a server that is not up yet.

    Messages with a routing key in ``unheard`` may be published although no queue takes them.
    """
    publishing = await connecting(lambda: _connect(url, f"{name} publisher"), to="rabbitmq")
    consuming = await connecting(lambda: _connect(url, f"{name} consumer"), to="rabbitmq")
    broker = Broker(publishing, consuming, unheard=unheard)
    try:
        yield broker
    finally:
        await broker.drain()
        await consuming.close()
        await publishing.close()


async def _connect(url: str, name: str) -> AbstractRobustConnection:
    return await aio_pika.connect_robust(
        _with_heartbeat(url),
        timeout=_CONNECT_TIMEOUT_S,
        reconnect_interval=1.0,
        client_properties={"connection_name": name},
    )


def _with_heartbeat(url: str) -> str:
    """Dead peers are noticed after three heartbeats; the client's default is a minute each."""
    if "heartbeat=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}heartbeat={_HEARTBEAT_S}"


async def _deal_with(
    message: AbstractIncomingMessage, queue: str, handler: Handler, publisher: Publisher
) -> None:
    """Run ``handler`` and answer the broker; the answer is lost with the connection, no more."""
    try:
        await handler(_delivery(message, queue))
    except Reject as rejection:
        logger.warning("message.rejected", extra={"queue": queue, "reason": str(rejection)})
        await _answer(message.reject(requeue=False))
    except Later:
        logger.warning("message.put_off", extra={"queue": queue})
        await asyncio.sleep(_REDELIVERY_PAUSE_S)
        await _send_again(message, queue, publisher)
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        # aiormq cancels what waits on a connection whose heartbeat failed: delivered again anyway.
        logger.warning("message.connection_lost", extra={"queue": queue})
    except Exception:
        logger.exception("message.failed", extra={"queue": queue})
        await asyncio.sleep(_REDELIVERY_PAUSE_S)
        await _answer(message.nack(requeue=True))
    else:
        await _answer(message.ack())


async def _send_again(message: AbstractIncomingMessage, queue: str, publisher: Publisher) -> None:
    """Put a copy at the end of the queue, then acknowledge: a crash between leaves two of it."""
    delivery = _delivery(message, queue)
    try:
        await publisher.publish(
            "",
            queue,
            delivery.body,
            items=int(str(message.headers.get("items", 1))),
            message_id=delivery.message_id,
            type_name=delivery.type_name,
            traceparent=delivery.traceparent,
        )
    except PublishError:
        await _answer(message.nack(requeue=True))
    else:
        await _answer(message.ack())


def _delivery(message: AbstractIncomingMessage, queue: str) -> Delivery:
    headers = dict(message.headers)
    traceparent = headers.get("traceparent")
    return Delivery(
        queue=queue,
        # PostgreSQL holds no NUL: a message that cannot even be set aside would come for ever.
        type_name=(message.type or message.routing_key or "").replace("\0", "\ufffd"),
        body=message.body,
        message_id=message.message_id or "",
        is_redelivered=bool(message.redelivered),
        redeliveries=redeliveries(headers, is_redelivered=bool(message.redelivered)),
        traceparent=traceparent if isinstance(traceparent, str) else None,
        dead_reason=dead_reason(headers),
    )


async def _answer(answer: Any) -> None:
    """Send an acknowledgement; on a lost connection the message comes again and is recognised."""
    try:
        await answer
    except asyncio.CancelledError:
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        logger.warning("acknowledgement.lost")
    except LOST as error:
        logger.warning("acknowledgement.lost", extra={"error": type(error).__name__})
