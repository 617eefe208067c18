"""Messages from the broker, each turned into one call."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from contracts.envelope import Event
from libs.broker import Delivery, Handler
from libs.broker.outages import outlasting_outages
from libs.clock import Clock, monotonic_s
from libs.postgres.types import Pool
from libs.telemetry.tracing import span
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.project_holds import project_holds
from services.dispatcher.app.set_aside import set_aside
from services.dispatcher.app.take_batch import Deal, count_items, take_batch

DEAD = ".dead"


def request_handler(
    courier: Courier, *, gate_wait_s: float, is_draining: Callable[[], bool]
) -> Handler:
    """Return what delivers the requests of a message.

    ``gate_wait_s`` is for the message as a whole: taken item by item it would otherwise stay in
    hand for longer than the broker waits.
    """

    async def take(delivery: Delivery) -> None:
        gate_until_s = monotonic_s() + gate_wait_s

        async def deal(events: Sequence[Event[Any]]) -> None:
            with span(
                "requests.deliver",
                kind="consumer",
                links=[event.traceparent for event in events],
                attributes={"requests": len(events)},
            ):
                await deliver_requests(
                    courier,
                    [event.data for event in events],
                    gate_wait_s=gate_until_s - monotonic_s(),
                    is_draining=is_draining,
                )

        await _take(courier.pool, courier.clock, deal, delivery)

    return outlasting_outages(take, courier.pool)


def contact_handler(pool: Pool, clock: Clock) -> Handler:
    """Return what keeps contacts up to date with the user events of a message."""

    async def deal(events: Sequence[Event[Any]]) -> None:
        with span(
            "contacts.project",
            kind="consumer",
            links=[event.traceparent for event in events],
            attributes={"events": len(events)},
        ):
            await project_contacts(pool, events)

    return outlasting_outages(partial(_take, pool, clock, deal), pool)


def hold_handler(pool: Pool, clock: Clock) -> Handler:
    """Return what takes in the pauses and cancellations of a message."""

    async def deal(events: Sequence[Event[Any]]) -> None:
        with span(
            "holds.project",
            kind="consumer",
            links=[event.traceparent for event in events],
            attributes={"events": len(events)},
        ):
            await project_holds(pool, events)

    return outlasting_outages(partial(_take, pool, clock, deal), pool)


def dead_letter_handler(pool: Pool, clock: Clock) -> Handler:
    """Return what keeps a message that the broker gave up, for a person."""

    async def keep(delivery: Delivery) -> None:
        await set_aside(
            pool,
            clock,
            queue=delivery.queue.removesuffix(DEAD),
            type_name=delivery.type_name,
            reason=delivery.dead_reason or "rejected",
            body=delivery.body,
            items=count_items(delivery.body),
        )

    return keep


async def _take(pool: Pool, clock: Clock, deal: Deal, delivery: Delivery) -> None:
    async def put_aside(item: bytes, reason: str) -> None:
        await set_aside(
            pool,
            clock,
            queue=delivery.queue,
            type_name=delivery.type_name,
            reason=reason,
            body=item,
            items=1,
        )

    await take_batch(
        delivery.type_name,
        delivery.body,
        redeliveries=delivery.redeliveries,
        deal=deal,
        put_aside=put_aside,
    )
