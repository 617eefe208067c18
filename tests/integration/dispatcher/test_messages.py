"""Messages as they come: one bad item never keeps its neighbours back."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import pytest

from contracts import codec, dispatch, topology, user_events
from contracts.user_events import UserRegistered
from libs.broker import Delivery, Handler, Later
from libs.clock import FrozenClock
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.dispatcher.adapters.pauses import pause_provider
from services.dispatcher.adapters.set_aside import SetAside, list_set_aside
from services.dispatcher.app import provider_gate, take_batch
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.set_aside import redrive
from services.dispatcher.entrypoints.consumers import (
    contact_handler,
    dead_letter_handler,
    request_handler,
)
from tests.support.deliveries import FakeProvider, a_person, a_request, told
from tests.support.lines import a_line_to
from tests.support.publishers import FakePublisher


def requests_of(*person_ids: UUID, **changes: object) -> bytes:
    return codec.encode(
        [told(a_request(one, **changes), dispatch.DISPATCH_REQUESTED) for one in person_ids]
    )


def joined(*batches: bytes) -> bytes:
    return b"[" + b",".join(batch[1:-1] for batch in batches) + b"]"


def delivered(
    body: bytes,
    *,
    type_name: str = dispatch.DISPATCH_REQUESTED,
    queue: str = topology.DISPATCHER_REQUESTS.name,
    redeliveries: int = 0,
    dead_reason: str | None = None,
) -> Delivery:
    return Delivery(
        queue=queue,
        type_name=type_name,
        body=body,
        message_id="1",
        is_redelivered=redeliveries > 0,
        redeliveries=redeliveries,
        dead_reason=dead_reason,
    )


async def waiting(pool: Pool) -> list[SetAside]:
    async with pool.acquire() as connection:
        return await list_set_aside(connection, after=UUID(int=0), limit=100)


@pytest.fixture
def handler(courier: Courier) -> Handler:
    """Return what deals with dispatch requests."""
    return request_handler(courier, gate_wait_s=1.0, is_draining=lambda: False)


BAD_ITEM = msgspec.json.encode([{"type": dispatch.DISPATCH_REQUESTED, "data": {"kind": 7}}])


@pytest.mark.parametrize("redeliveries", [0, 1, 2], ids=["first time", "again", "third time"])
@pytest.mark.edge_case("EC-W-017")
async def test_malformed_item_is_set_aside_and_its_neighbours_are_sent(
    handler: Handler,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    redeliveries: int,
) -> None:
    body = joined(BAD_ITEM, requests_of(ada.id))
    await handler(delivered(body, redeliveries=redeliveries))
    assert len(provider.mails) == 1
    assert [(one.reason, one.items) for one in await waiting(pool)] == [("malformed", 1)]


async def test_item_the_database_refuses_is_set_aside_and_its_neighbours_are_sent(
    handler: Handler, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    body = joined(requests_of(ada.id, local_day="2031-06-14"), requests_of(ada.id))
    await handler(delivered(body))
    assert len(provider.mails) == 1
    assert [one.reason for one in await waiting(pool)] == ["refused_values"]


@pytest.mark.parametrize(
    ("type_name", "body", "reason"),
    [
        (dispatch.DISPATCH_REQUESTED, b"not json", "malformed"),
        (dispatch.DISPATCH_REQUESTED, b"{}", "malformed"),
        (dispatch.DISPATCH_REQUESTED, b"[" * 100_000, "malformed"),
        ("dispatch.requested.v9", b"[{}]", "unknown_type"),
    ],
    ids=["not JSON", "not a batch", "very deep", "unknown type"],
)
async def test_message_that_means_nothing_is_set_aside_whole(
    handler: Handler, pool: Pool, type_name: str, body: bytes, reason: str
) -> None:
    await handler(delivered(body, type_name=type_name))
    assert [one.reason for one in await waiting(pool)] == [reason]


async def test_bad_item_that_comes_again_waits_once(handler: Handler, pool: Pool) -> None:
    for _ in range(3):
        await handler(delivered(BAD_ITEM))
    assert len(await waiting(pool)) == 1


@pytest.mark.edge_case("EC-Q-023")
async def test_redelivered_batch_sends_nothing_twice(
    handler: Handler, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    other = a_person()
    await contact_handler(pool, FrozenClock(told(other).time))(
        delivered(codec.encode([told(other)]), type_name=user_events.USER_REGISTERED)
    )
    await handler(delivered(requests_of(ada.id)))
    await handler(delivered(requests_of(ada.id, other.id), redeliveries=2))
    assert sorted(mail.recipient for mail in provider.mails) == sorted([ada.email, other.email])


async def test_contact_that_cannot_be_stored_is_set_aside_and_the_others_are_kept(
    pool: Pool, clock: FrozenClock
) -> None:
    people = [a_person(), a_person(first_name="N\x00L"), a_person()]
    await contact_handler(pool, clock)(
        delivered(
            codec.encode([told(person) for person in people]),
            type_name=user_events.USER_REGISTERED,
            queue=topology.DISPATCHER_USERS.name,
        )
    )
    assert await pool.fetchval("SELECT count(*) FROM contacts") == 2
    [aside] = await waiting(pool)
    assert (aside.queue, aside.reason) == ("dispatcher.users.v1", "refused_values")


async def test_highest_version_of_a_person_wins_in_any_order(
    pool: Pool, clock: FrozenClock
) -> None:
    person_id = a_person().id
    versions = [a_person(id=person_id, version=n, first_name=f"v{n}") for n in (2, 4, 1, 3)]
    handle = contact_handler(pool, clock)
    for batch in (versions[:3], versions[3:], versions[::-1]):
        body = codec.encode([told(person) for person in batch])
        await handle(delivered(body, type_name=user_events.USER_REGISTERED))
    row = await pool.fetchrow("SELECT version, first_name FROM contacts")
    assert tuple(row or ()) == (4, "v4")


@pytest.mark.edge_case("EC-Q-029")
async def test_dead_letter_waits_with_its_reason_and_goes_back_when_redriven(
    pool: Pool, clock: FrozenClock
) -> None:
    body = requests_of(a_person().id, a_person().id)
    await dead_letter_handler(pool, clock)(
        delivered(body, queue="dispatcher.requests.v1.dead", dead_reason="delivery_limit")
    )
    [aside] = await waiting(pool)
    assert (aside.queue, aside.reason, aside.items) == (
        "dispatcher.requests.v1",
        "delivery_limit",
        2,
    )
    publisher = FakePublisher()
    assert await redrive(pool, publisher, clock, aside.id)
    [message] = publisher.published
    assert (message.exchange, message.routing_key, message.body) == (
        "",
        "dispatcher.requests.v1",
        body,
    )
    assert await waiting(pool) == []
    assert not await redrive(pool, publisher, clock, aside.id)


async def test_message_that_fails_again_before_its_redrive_is_noted_waits_again(
    handler: Handler, pool: Pool, clock: FrozenClock
) -> None:
    class FastConsumer(FakePublisher):
        async def publish(self, *arguments: Any, **facts: Any) -> None:
            await super().publish(*arguments, **facts)
            await handler(delivered(BAD_ITEM))

    await handler(delivered(BAD_ITEM))
    [aside] = await waiting(pool)
    await redrive(pool, FastConsumer(), clock, aside.id)
    assert [one.id for one in await waiting(pool)] == [aside.id]


async def test_message_that_fails_again_after_a_redrive_waits_again(
    handler: Handler, pool: Pool, clock: FrozenClock
) -> None:
    await handler(delivered(BAD_ITEM))
    [aside] = await waiting(pool)
    await redrive(pool, FakePublisher(), clock, aside.id)
    await handler(delivered(BAD_ITEM))
    assert [one.id for one in await waiting(pool)] == [aside.id]


async def test_request_in_hand_waits_for_a_database_that_is_away(
    courier: Courier, provider: FakeProvider, database_url: str, ada: UserRegistered
) -> None:
    async with a_line_to(database_url) as (url, line), open_pool(url, name="test") as pool:
        handle = request_handler(
            replace(courier, pool=pool), gate_wait_s=1.0, is_draining=lambda: False
        )
        line.cut()
        handling = asyncio.ensure_future(handle(delivered(requests_of(ada.id))))
        done, _ = await asyncio.wait([handling], timeout=0.3)
        assert not done
        await line.mend()
        await handling
    assert len(provider.mails) == 1


@pytest.mark.edge_case("EC-Q-025")
async def test_request_goes_to_the_end_of_its_queue_when_the_database_stays_away(
    courier: Courier,
    provider: FakeProvider,
    database_url: str,
    ada: UserRegistered,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert take_batch.HELD_S == 300.0
    monkeypatch.setattr(provider_gate, "HELD_S", 0.3)
    async with a_line_to(database_url) as (url, line), open_pool(url, name="test") as pool:
        handle = request_handler(
            replace(courier, pool=pool), gate_wait_s=1.0, is_draining=lambda: False
        )
        line.cut()
        with pytest.raises(Later):
            await handle(delivered(requests_of(ada.id)))
    assert provider.mails == []


async def test_message_taken_item_by_item_waits_for_the_provider_only_once(
    courier: Courier, pool: Pool
) -> None:
    async with pool.acquire() as connection:
        await pause_provider(connection, "smtp", pause_s=60.0)
    handle = request_handler(courier, gate_wait_s=0.5, is_draining=lambda: False)
    body = requests_of(*(a_person().id for _ in range(8)))
    async with asyncio.timeout(2.5):
        await handle(delivered(body, redeliveries=2))
    assert await pool.fetchval("SELECT sum(items) FROM outbox") == 8


@pytest.mark.edge_case("EC-W-018")
async def test_failure_to_set_aside_is_told_beside_its_cause_and_the_message_comes_again(
    handler: Handler, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.execute("ALTER TABLE set_aside RENAME TO set_aside_elsewhere")
    with pytest.raises(asyncpg.UndefinedTableError):
        await handler(delivered(BAD_ITEM))
    assert "batch.taken_apart" in caplog.text
    await pool.execute("ALTER TABLE set_aside_elsewhere RENAME TO set_aside")
    await handler(delivered(BAD_ITEM, redeliveries=1))
    assert len(await waiting(pool)) == 1
