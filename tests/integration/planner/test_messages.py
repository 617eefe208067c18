"""What the planner does with messages: good ones, bad ones, and good ones beside bad ones."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import pytest

from contracts import codec, topology, user_events
from contracts.dispatch import DELIVERY_ACCEPTED, DeliveryAccepted
from contracts.envelope import event
from contracts.kinds import KINDS
from contracts.user_events import UserDeleted, UserErased, UserRegistered
from libs.broker import Delivery, Later, PublishError
from libs.broker.connection import open_broker
from libs.broker.consumers import Consumers, Subscription
from libs.ids import new_id
from libs.postgres.pool import open_pool
from services.planner.app.redriving import list_aside, redrive
from services.planner.entrypoints.batches import HELD_S, batch_handler, dead_letter_handler
from services.planner.entrypoints.consumers import (
    outcome_handler,
    people_handler,
)
from tests.integration.planner.world import World
from tests.support.lines import a_line_to
from tests.support.recipients import LONG_AGO, day, utc
from tests.support.vhosts import fresh_vhost

USERS = topology.PLANNER_USERS.name
OUTCOMES = topology.PLANNER_OUTCOMES.name
REGISTERED = user_events.USER_REGISTERED


def a_user(**given: Any) -> UserRegistered:
    """Return the event's data of someone in Berlin with a birthday."""
    known: dict[str, Any] = {
        "id": new_id(),
        "version": 1,
        "schedule_version": 1,
        "first_name": "Ada",
        "last_name": "Lovelace",
        "email": "ada@example.com",
        "timezone": "europe/berlin",
        "locale": "en",
        "leap_day": "feb28",
        "active_since": LONG_AGO,
        "birthday": "1990-06-14",
    }
    return UserRegistered(**known | given)


def a_message(type_name: str, *data: Any) -> bytes:
    """Return a batch with an event for each of ``data``."""
    events = [
        event(
            one,
            event_id=str(new_id()),
            type_name=type_name,
            source="/jubilee/user",
            subject=str(getattr(one, "id", "")),
            time=datetime(2026, 6, 1, tzinfo=UTC),
        )
        for one in data
    ]
    return codec.encode(events)


def delivered(type_name: str, body: bytes, **given: Any) -> Delivery:
    """Return a message as the broker hands it over."""
    known: dict[str, Any] = {"queue": USERS, "message_id": "1", "is_redelivered": False}
    return Delivery(type_name=type_name, body=body, **known | given)


async def take(world: World, type_name: str, body: bytes, **given: Any) -> None:
    """Have the planner take a message about people."""
    handler = people_handler(world.pool, world.clock, KINDS)
    await handler(delivered(type_name, body, **given))


async def people_known(world: World) -> dict[Any, Any]:
    rows = await world.pool.fetch("SELECT person_id, zone, is_active, dates FROM recipients")
    return {row["person_id"]: row for row in rows}


async def aside(world: World) -> list[tuple[str, str]]:
    return [(one.queue, one.reason) for one in await list_aside(world.pool, after=None, limit=50)]


async def test_a_registered_person_is_known_without_name_or_address(world: World) -> None:
    ada = a_user()
    await take(world, REGISTERED, a_message(REGISTERED, ada))
    row = (await people_known(world))[ada.id]
    assert (row["zone"], row["is_active"]) == ("Europe/Berlin", True)
    columns = "".join(str(value) for value in row.values())
    assert "Ada" not in columns
    assert "example.com" not in columns


async def test_deleted_and_erased_people_are_known_as_away(world: World) -> None:
    ada, bob = a_user(), a_user()
    await take(world, REGISTERED, a_message(REGISTERED, ada, bob))
    gone = msgspec.convert(
        msgspec.to_builtins(ada) | {"version": 2, "schedule_version": 2}, UserDeleted
    )
    await take(world, user_events.USER_DELETED, a_message(user_events.USER_DELETED, gone))
    erased = UserErased(id=bob.id, version=2, schedule_version=2)
    await take(world, user_events.USER_ERASED, a_message(user_events.USER_ERASED, erased))
    known = await people_known(world)
    assert [known[one.id]["is_active"] for one in (ada, bob)] == [False, False]
    assert known[bob.id]["dates"] == "{}"
    assert await world.pool.fetchval("SELECT count(*) FROM celebrations") == 0


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        pytest.param({"timezone": "Mars/Phobos"}, "unknown_zone", id="unknown zone"),
        pytest.param({"birthday": "1990-02-30"}, "malformed_date", id="no such day"),
        pytest.param({"schedule_version": 2}, "unstorable", id="schedule ahead of the version"),
        pytest.param({"version": 2**31, "schedule_version": 1}, "unstorable", id="too great"),
    ],
)
async def test_a_bad_person_is_set_aside_and_its_neighbours_go_on(
    world: World, bad: dict[str, Any], reason: str
) -> None:
    before, after = a_user(), a_user()
    await take(world, REGISTERED, a_message(REGISTERED, before, a_user(**bad), after))
    assert set(await people_known(world)) == {before.id, after.id}
    assert await aside(world) == [(USERS, reason)]


async def test_an_item_that_is_no_event_is_set_aside_alone(world: World) -> None:
    ada = a_user()
    body = a_message(REGISTERED, ada)[:-1] + b',{"not":"an event"}]'
    await take(world, REGISTERED, body)
    assert set(await people_known(world)) == {ada.id}
    assert await aside(world) == [(USERS, "malformed")]


@pytest.mark.parametrize(
    ("type_name", "body", "reason"),
    [
        pytest.param(REGISTERED, b"no JSON at all", "malformed", id="EC-Q-024 no JSON"),
        pytest.param("user.renamed.v1", b"[{}]", "unknown_type", id="unknown type"),
    ],
)
async def test_a_message_nobody_understands_is_set_aside(
    world: World, type_name: str, body: bytes, reason: str
) -> None:
    await take(world, type_name, body)
    assert await aside(world) == [(USERS, reason)]


@pytest.mark.parametrize(
    ("redeliveries", "dealt"),
    [(0, [2]), (1, [2]), (2, [1, 1])],
    ids=["first time", "again", "third time"],
)
async def test_a_message_that_keeps_coming_back_is_taken_item_by_item(
    world: World, redeliveries: int, dealt: list[int]
) -> None:
    sizes: list[int] = []

    async def deal(events: Sequence[Any]) -> None:
        sizes.append(len(events))

    body = a_message(REGISTERED, a_user(), a_user())
    message = delivered(
        REGISTERED, body, is_redelivered=redeliveries > 0, redeliveries=redeliveries
    )
    await batch_handler(world.pool, deal)(message)
    assert sizes == dealt


async def test_a_message_in_hand_waits_for_a_database_that_comes_back(
    world: World, planner_url: str
) -> None:
    async with a_line_to(planner_url) as (url, line), open_pool(url, name="test") as pool:
        handle = people_handler(pool, world.clock, KINDS)
        line.cut()
        ada = a_user()
        handling = asyncio.ensure_future(handle(delivered(REGISTERED, a_message(REGISTERED, ada))))
        done, _ = await asyncio.wait([handling], timeout=0.3)
        assert not done
        await line.mend()
        await handling
    assert set(await people_known(world)) == {ada.id}


@pytest.mark.edge_case("EC-Q-025")
async def test_a_message_goes_to_the_end_of_its_queue_when_the_database_stays_away(
    planner_url: str,
) -> None:
    async with a_line_to(planner_url) as (url, line), open_pool(url, name="test") as pool:

        async def deal(_: Sequence[Any]) -> None:
            await pool.fetchval("SELECT 1")

        assert HELD_S == 300.0
        line.cut()
        with pytest.raises(Later):
            await batch_handler(pool, deal, held_s=0.2)(
                delivered(REGISTERED, a_message(REGISTERED, a_user()))
            )


async def test_a_failure_of_the_message_itself_counts_against_it(world: World) -> None:
    async def deal(_: Sequence[Any]) -> None:
        raise asyncpg.QueryCanceledError

    with pytest.raises(asyncpg.QueryCanceledError):
        await batch_handler(world.pool, deal, held_s=0.1)(
            delivered(REGISTERED, a_message(REGISTERED, a_user()))
        )


async def test_an_outcome_is_recorded_from_its_message(world: World) -> None:
    ada = a_user()
    await take(world, REGISTERED, a_message(REGISTERED, ada))
    await world.plan()
    await world.release_at("2026-06-14 07:00")
    accepted = DeliveryAccepted(
        local_day=day("2026-06-14"),
        person_id=ada.id,
        kind="birthday",
        release=1,
        accepted_at=utc("2026-06-14 07:00:01"),
        due_at=utc("2026-06-14 07:00"),
        provider="stub",
        message_id="<1@example.org>",
    )
    handler = outcome_handler(world.pool, world.clock, KINDS)
    body = a_message(DELIVERY_ACCEPTED, accepted)
    await handler(delivered(DELIVERY_ACCEPTED, body, queue=OUTCOMES))
    assert (await world.row(ada.id, day("2026-06-14")))["state"] == "accepted"


@pytest.mark.edge_case("EC-Q-029")
async def test_a_dead_letter_waits_for_a_person_and_can_be_sent_back(world: World) -> None:
    body = a_message(REGISTERED, a_user(), a_user())
    dead = delivered(REGISTERED, body, queue=f"{USERS}.dead", dead_reason="delivery_limit")
    await dead_letter_handler(world.pool)(dead)
    (kept,) = await list_aside(world.pool, after=None, limit=50)
    assert (kept.queue, kept.reason, kept.items) == (USERS, "delivery_limit", 2)
    assert await redrive(world.pool, world.publisher, kept.id)
    (sent,) = world.publisher.published
    assert (sent.exchange, sent.routing_key, sent.type_name) == ("", USERS, REGISTERED)
    assert sent.body == body
    assert not await redrive(world.pool, world.publisher, kept.id)


async def test_a_redrive_nobody_confirmed_can_be_repeated(world: World) -> None:
    dead = delivered(REGISTERED, b"[]", queue=f"{USERS}.dead", dead_reason="rejected")
    await dead_letter_handler(world.pool)(dead)
    (kept,) = await list_aside(world.pool, after=None, limit=50)
    world.publisher.refused.add(USERS)
    with pytest.raises(PublishError):
        await redrive(world.pool, world.publisher, kept.id)
    assert await list_aside(world.pool, after=None, limit=50) == [kept]


async def test_people_arrive_through_the_broker(world: World, amqp_url: str, amqp_api: str) -> None:
    ada = a_user()
    arrived = asyncio.Event()
    handler = people_handler(world.pool, world.clock, KINDS)

    async def take_and_tell(delivery: Delivery) -> None:
        await handler(delivery)
        arrived.set()

    async with (
        fresh_vhost(amqp_url, amqp_api) as url,
        open_broker(url, name="planner tests") as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        consumers = Consumers(broker, [Subscription(USERS, take_and_tell, prefetch=4)])
        serving = asyncio.create_task(consumers.serve())
        body = a_message(REGISTERED, ada)
        await broker.publisher.publish(
            topology.EVENTS, REGISTERED, body, items=1, message_id=str(new_id())
        )
        async with asyncio.timeout(10):
            await arrived.wait()
            await consumers.stop()
            await serving
    assert set(await people_known(world)) == {ada.id}
