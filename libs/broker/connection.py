"""Opens the two connections of a process: one to publish on, one to consume on."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Protocol

import aio_pika
from aio_pika.abc import AbstractRobustConnection
from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from libs.broker.messages import Delivery, Handler, Later, Reject, dead_reason, redeliveries
from libs.broker.publisher import LOST, ConfirmingPublisher, Publisher, PublishError
from libs.resilience import connecting

logger = logging.getLogger(__name__)

_HEARTBEAT_S = 10
_CONNECT_TIMEOUT_S = 5.0
_REDELIVERY_PAUSE_S = 1.0
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
        consuming: RabbitBroker,
        *,
        unheard: frozenset[str] = frozenset(),
    ) -> None:
        self._publishing = publishing
        self._consuming = consuming
        self._subscribers: list[RabbitSubscriber] = []
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
        subscriber = self._consuming.subscriber(
            RabbitQueue(queue, declare=False),
            channel=Channel(prefetch_count=prefetch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_as_it_is,
            no_reply=True,
        )

        async def take(message: RabbitMessage) -> None:
            # aiormq cancels the callers of consumers when their channel dies. What was begun is
            # finished all the same: cut off in a call to a provider it would end as unknown.
            task = asyncio.create_task(_deal_with(message, queue, handler, self.publisher))
            self._in_hand.add(task)
            task.add_done_callback(self._in_hand.discard)
            await asyncio.shield(task)

        subscriber(take)
        self._subscribers.append(subscriber)
        await subscriber.start()

    async def drain(self) -> None:
        """Take nothing new and wait for the messages in hand."""
        await asyncio.gather(*(subscriber.stop() for subscriber in self._subscribers))
        if pending := {task for task in self._in_hand if not task.done()}:
            await asyncio.wait(pending, timeout=_DRAIN_TIMEOUT_S)

    async def is_reachable(self) -> bool:
        """Tell whether both connections answer."""
        if not self._publishing.connected.is_set():
            return False
        return await self._consuming.ping(timeout=1.0)


@contextlib.asynccontextmanager
async def open_broker(
    url: str, *, name: str, unheard: frozenset[str] = frozenset()
) -> AsyncIterator[Broker]:
    """Yield the way to the broker at ``url``, waiting for a server that is not up yet.

    Messages with a routing key in ``unheard`` may be published although no queue takes them.
    """
    publishing = await connecting(lambda: _connect(url, name), to="rabbitmq")
    consuming = RabbitBroker(
        _with_heartbeat(url),
        logger=None,
        apply_types=False,
        graceful_timeout=_DRAIN_TIMEOUT_S,
        reconnect_interval=1.0,
    )
    await connecting(consuming.start, to="rabbitmq")
    broker = Broker(publishing, consuming, unheard=unheard)
    try:
        yield broker
    finally:
        await broker.drain()
        await consuming.stop()
        await publishing.close()


async def _connect(url: str, name: str) -> AbstractRobustConnection:
    return await aio_pika.connect_robust(
        _with_heartbeat(url),
        timeout=_CONNECT_TIMEOUT_S,
        reconnect_interval=1.0,
        client_properties={"connection_name": f"{name} publisher"},
    )


def _with_heartbeat(url: str) -> str:
    """Dead peers are noticed after three heartbeats; the client's default is a minute each."""
    if "heartbeat=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}heartbeat={_HEARTBEAT_S}"


async def _as_it_is(message: RabbitMessage) -> RabbitMessage:
    """Keep FastStream from decoding: a body it cannot read would never be acknowledged."""
    return message


async def _deal_with(
    message: RabbitMessage, queue: str, handler: Handler, publisher: Publisher
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


async def _send_again(message: RabbitMessage, queue: str, publisher: Publisher) -> None:
    """Put a copy at the end of the queue, then acknowledge: a crash between leaves two of it."""
    raw = message.raw_message
    delivery = _delivery(message, queue)
    try:
        await publisher.publish(
            "",
            queue,
            delivery.body,
            items=int(str(raw.headers.get("items", 1))),
            message_id=delivery.message_id,
            type_name=delivery.type_name,
            traceparent=delivery.traceparent,
        )
    except PublishError:
        await _answer(message.nack(requeue=True))
    else:
        await _answer(message.ack())


def _delivery(message: RabbitMessage, queue: str) -> Delivery:
    raw = message.raw_message
    headers = dict(raw.headers)
    traceparent = headers.get("traceparent")
    return Delivery(
        queue=queue,
        # PostgreSQL holds no NUL: a message that cannot even be set aside would come for ever.
        type_name=(raw.type or raw.routing_key or "").replace("\0", "\ufffd"),
        body=raw.body,
        message_id=raw.message_id or "",
        is_redelivered=bool(raw.redelivered),
        redeliveries=redeliveries(headers, is_redelivered=bool(raw.redelivered)),
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
