"""The dispatcher's hops: contacts taken in, requests delivered, what is in the outbox published."""

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from contracts import codec, dispatch, topology
from contracts.kinds import KINDS
from deploy.contracts.samples import sample
from libs.broker.connection import open_broker
from libs.clock import FrozenClock
from libs.outbox import OutboxMessage, Relay, put
from libs.postgres.types import Pool
from libs.resilience import Guard
from services.dispatcher.adapters.mime import Sender
from services.dispatcher.adapters.providers.postmark import PostmarkProvider
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.keep_partitions import keep_partitions
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.entrypoints.consumers import contact_handler, request_handler
from services.dispatcher.wiring import MIGRATIONS, PLANNING
from tests.guard.hop import (
    BATCHES,
    MESSAGE,
    Hop,
    Work,
    a_database,
    an_id,
    expect,
    keep_still,
    message_of,
)
from tests.guard.stub import a_postmark
from tests.support.deliveries import a_person, a_request, told
from tests.support.vhosts import fresh_vhost

RELAYED = 2 * MESSAGE
_DAY = date(2027, 3, 10)
_NINE = datetime(2027, 3, 10, 9, tzinfo=UTC)


async def dispatcher_hops(pg_url: str, amqp_url: str, amqp_api: str) -> AsyncGenerator[Hop, None]:
    """Yield the hops over one database: who is taken in first gets the mails."""
    async with (
        a_database(pg_url, *MIGRATIONS, settings=PLANNING) as pool,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        open_broker(vhost_url, name="guard", unheard=topology.UNHEARD) as broker,
        a_postmark() as stub_url,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        clock = FrozenClock(_NINE)
        await keep_partitions(pool, now=_NINE)
        await keep_still(pool)
        greetings = Greetings(KINDS, message_domain="jubilee.example")
        await keep_texts(pool, greetings)
        provider = PostmarkProvider(
            stub_url,
            token="guard",
            sender=Sender(name="Jubilee", mailbox="hello@jubilee.example"),
            connections=4,
            timeout_s=30.0,
            lookup_delay_s=1.0,
        )
        courier = Courier(
            pool=pool,
            clock=clock,
            provider=provider,
            guard=Guard("postmark", threshold=3, reset_after_s=1.0),
            greetings=greetings,
            lease_s=120.0,
        )
        relay = Relay(pool, broker.publisher, name="guard")
        projecting = contact_handler(pool, clock)
        delivering = request_handler(courier, gate_wait_s=60.0, is_draining=lambda: False)

        async def contacts(number: int) -> Work:
            people = [a_person(id=one, timezone="UTC") for one in _ids(number)]
            message = message_of(number, [told(person) for person in people])

            async def work() -> None:
                await projecting(message)

            return work

        async def deliver(number: int) -> Work:
            requests = [
                a_request(
                    one,
                    local_day=_DAY,
                    period=date(2027, 1, 1),
                    due_at=_NINE,
                    expires_at=_NINE + timedelta(hours=48),
                    years=37,
                )
                for one in _ids(number)
            ]
            message = message_of(
                number, [told(request, dispatch.DISPATCH_REQUESTED) for request in requests]
            )

            async def work() -> None:
                await delivering(message)

            return work

        async def publish(number: int) -> Work:
            if not number:
                while await relay.run_once():
                    pass
            async with pool.acquire() as connection:
                await put(connection, [_ROW] * RELAYED)

            async def work() -> None:
                for _ in range(RELAYED // MESSAGE):
                    expect(await relay.run_once(), MESSAGE)

            return work

        yield Hop("contacts", MESSAGE, pool, contacts)
        yield Hop("deliver", MESSAGE, pool, deliver)
        await _look_what_came_of_it(pool)
        yield Hop("relay", RELAYED, pool, publish)
        await provider.close()


_ROW = OutboxMessage(
    topology.EVENTS,
    dispatch.DELIVERY_ACCEPTED,
    1,
    codec.encode_items([sample(dispatch.DELIVERY_ACCEPTED)]),
)


def _ids(number: int) -> list[UUID]:
    return [an_id("greeted", number * MESSAGE + place) for place in range(MESSAGE)]


async def _look_what_came_of_it(pool: Pool) -> None:
    accepted = "SELECT count(*) FROM delivery_events WHERE type = 'accepted'"
    expect(await pool.fetchval(accepted), BATCHES * MESSAGE)
