"""Takes messages from queues, by FastStream; what becomes of each is decided here."""

import asyncio
import logging
from typing import Any

from faststream import AckPolicy
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage
from faststream.rabbit.subscriber.usecase import RabbitSubscriber

from libs.broker.messages import Delivery, Handler, Later, Reject, dead_reason, redeliveries
from libs.broker.publisher import LOST, Publisher, PublishError
from libs.resilience import connecting

logger = logging.getLogger(__name__)

_REDELIVERY_PAUSE_S = 1.0
_DRAIN_TIMEOUT_S = 40.0


class Consuming:
    """The connection of a process on which messages come in."""

    def __init__(self, url: str, publisher: Publisher) -> None:
        self._publisher = publisher
        self._broker = RabbitBroker(
            url,
            logger=None,
            apply_types=False,
            graceful_timeout=_DRAIN_TIMEOUT_S,
            reconnect_interval=1.0,
        )
        self._subscribers: list[RabbitSubscriber] = []
        self._in_hand: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        """Connect, waiting for a server that is not up yet."""
        await connecting(self._broker.start, to="rabbitmq")

    async def consume(self, queue: str, handler: Handler, *, prefetch: int) -> None:
        """Hand messages of ``queue`` to ``handler``; see `Broker.consume`."""
        subscriber = self._broker.subscriber(
            RabbitQueue(queue, declare=False),
            channel=Channel(prefetch_count=prefetch),
            ack_policy=AckPolicy.MANUAL,
            decoder=_as_it_is,
            no_reply=True,
        )

        async def take(message: RabbitMessage) -> None:
            # aiormq cancels the callers of consumers when their channel dies. What was begun is
            # finished all the same: cut off in a call to a provider it would end as unknown.
            task = asyncio.create_task(_deal_with(message, queue, handler, self._publisher))
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
        """Tell whether the server answers."""
        return await self._broker.ping(timeout=1.0)

    async def close(self) -> None:
        """Close the connection."""
        await self._broker.stop()


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
