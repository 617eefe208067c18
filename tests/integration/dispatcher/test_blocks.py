"""Who may not be mailed: told to the world with every change, and obeyed by the claim."""

import asyncio
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts import user_events
from contracts.recipient_events import RECIPIENT_BLOCKS_CHANGED
from contracts.user_events import UserErased, UserRegistered
from libs.clock import monotonic_s
from libs.postgres.types import Pool
from services.dispatcher.adapters.blocks import tell_blocks
from services.dispatcher.adapters.suppressions import (
    delete_suppression,
    put_suppression,
    put_suppressions,
)
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.unsubscribe import resubscribe, unsubscribe
from services.dispatcher.domain.unsubscribing import Unsubscribing
from tests.support.deliveries import (
    NINE,
    FakeProvider,
    a_person,
    a_request,
    published,
    steps,
    told,
)


async def blocks_told(pool: Pool, person_id: UUID) -> list[tuple[int, dict[str, str]]]:
    """Return (revision, blocks) as they were published, in order."""
    return [
        (event.data.revision, event.data.blocks)
        for event in await published(pool)
        if event.type == RECIPIENT_BLOCKS_CHANGED and event.data.person_id == person_id
    ]


def changed(person: UserRegistered, **changes: Any) -> Any:
    """Return the event that tells of ``changes``, one version later."""
    newer = msgspec.structs.replace(person, version=person.version + 1, **changes)
    return told(newer, user_events.USER_CHANGED)


async def suppress(pool: Pool, address: str, *, reason: str = "bounced") -> None:
    async with pool.acquire() as connection:
        await put_suppression(connection, address, reason=reason, now=NINE)


async def allow(pool: Pool, address: str) -> None:
    async with pool.acquire() as connection:
        await delete_suppression(connection, address, now=NINE)


async def test_unsubscribed_person_gets_no_mail_of_that_kind(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await unsubscribe(pool, Unsubscribing(ada.id, "birthday"), now=NINE)
    await deliver_requests(courier, [a_request(ada.id), a_request(ada.id, kind="anniversary")])
    assert [mail.occurrence.rpartition("/")[2] for mail in provider.mails] == ["anniversary"]
    assert await steps(pool, ada.id) == [
        (1, 0, "attempted", None),
        (1, 1, "accepted", None),
        (1, 0, "attempted", None),
        (1, 1, "suppressed", "unsubscribed"),
    ]


async def test_whoever_subscribes_again_gets_mail_again(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    asked = Unsubscribing(ada.id, "birthday")
    await unsubscribe(pool, asked, now=NINE)
    assert await resubscribe(pool, asked, now=NINE)
    assert not await resubscribe(pool, asked, now=NINE)
    await deliver_requests(courier, [a_request(ada.id)])
    assert len(provider.mails) == 1
    assert await blocks_told(pool, ada.id) == [(1, {"birthday": "unsubscribed"}), (2, {})]


async def test_unsubscribing_twice_is_told_once(pool: Pool, ada: UserRegistered) -> None:
    asked = [Unsubscribing(ada.id, kind) for kind in ("birthday", "anniversary") * 5]
    await asyncio.gather(*(unsubscribe(pool, one, now=NINE) for one in asked))
    revisions = await blocks_told(pool, ada.id)
    assert [revision for revision, _ in revisions] == [1, 2]
    assert revisions[-1][1] == {"anniversary": "unsubscribed", "birthday": "unsubscribed"}


async def test_suppression_is_told_of_everyone_at_the_address(
    pool: Pool, ada: UserRegistered
) -> None:
    twin = a_person(email=ada.email.upper())
    await project_contacts(pool, [told(twin)])
    await suppress(pool, ada.email)
    await suppress(pool, ada.email)
    await suppress(pool, ada.email, reason="complained")
    await allow(pool, ada.email)
    for person in (ada, twin):
        assert await blocks_told(pool, person.id) == [
            (1, {"*": "bounced"}),
            (2, {"*": "complained"}),
            (3, {}),
        ]


async def test_many_suppressions_are_told_in_one_message(pool: Pool) -> None:
    people = [a_person() for _ in range(30)]
    await project_contacts(pool, [told(person) for person in people])
    async with pool.acquire() as connection:
        await put_suppressions(
            connection, {person.email: "bounced_permanently" for person in people}, now=NINE
        )
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 1
    assert {event.data.person_id for event in await published(pool)} == {one.id for one in people}


async def test_moving_to_and_from_a_suppressed_address_is_told(
    pool: Pool, ada: UserRegistered
) -> None:
    await suppress(pool, "blocked@example.org")
    await project_contacts(pool, [changed(ada, email="blocked@example.org")])
    away = msgspec.structs.replace(ada, version=2)
    await project_contacts(pool, [changed(away, email="free@example.org")])
    assert await blocks_told(pool, ada.id) == [(1, {"*": "bounced"}), (2, {})]


async def test_person_without_blocks_is_never_told_of(pool: Pool, ada: UserRegistered) -> None:
    await project_contacts(pool, [changed(ada, first_name="Augusta")])
    assert await published(pool) == []


async def test_erased_person_leaves_no_unsubscribe_and_no_former_name(
    pool: Pool, ada: UserRegistered
) -> None:
    await unsubscribe(pool, Unsubscribing(ada.id, "birthday"), now=NINE)
    await project_contacts(pool, [changed(ada, first_name="Augusta")])
    erased = UserErased(id=ada.id, version=3, schedule_version=3)
    await project_contacts(pool, [told(erased, user_events.USER_ERASED)])
    await unsubscribe(pool, Unsubscribing(ada.id, "birthday"), now=NINE)
    assert await pool.fetchval("SELECT count(*) FROM unsubscribes") == 0
    assert await pool.fetchval("SELECT count(*) FROM former_contacts") == 0
    assert await blocks_told(pool, ada.id) == [(1, {"birthday": "unsubscribed"}), (2, {})]


async def test_deleted_person_who_is_restored_stays_unsubscribed(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await unsubscribe(pool, Unsubscribing(ada.id, "birthday"), now=NINE)
    for version, type_name in ((2, user_events.USER_DELETED), (3, user_events.USER_RESTORED)):
        person = msgspec.structs.replace(ada, version=version)
        await project_contacts(pool, [told(person, type_name)])
    await deliver_requests(courier, [a_request(ada.id, person_version=3)])
    assert provider.mails == []


@pytest.mark.parametrize("round_number", range(5))
async def test_suppression_beside_a_move_to_that_address_is_never_missed(
    pool: Pool, round_number: int
) -> None:
    people = [a_person() for _ in range(20)]
    await project_contacts(pool, [told(person) for person in people])
    await asyncio.gather(
        *(
            project_contacts(pool, [changed(person, email=f"new-{person.email}")])
            for person in people
        ),
        *(suppress(pool, f"new-{person.email}") for person in people),
    )
    for person in people:
        assert (await blocks_told(pool, person.id))[-1][1] == {"*": "bounced"}, round_number


async def test_people_without_blocks_cost_a_projection_little(pool: Pool) -> None:
    people = [a_person() for _ in range(500)]
    await project_contacts(pool, [told(person) for person in people])
    async with pool.acquire() as connection, connection.transaction():
        started_s = monotonic_s()
        await tell_blocks(connection, [person.id for person in people], now=NINE)
        assert monotonic_s() - started_s < 0.25
    assert await pool.fetchval("SELECT count(*) FROM blocks") == 0
