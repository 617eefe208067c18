"""Pauses and cancellations at the claim: nothing held is sent, however it got into the queue."""

from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pytest

from contracts import plan_events
from contracts.plan_events import PlanCancelled, PlanPaused, PlanResumed
from contracts.user_events import UserRegistered
from libs.ids import new_id
from libs.postgres.types import Pool
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.project_holds import project_holds
from services.dispatcher.domain.delivery import Deferred
from tests.support.deliveries import (
    NINE,
    TODAY,
    FakeProvider,
    a_person,
    a_request,
    published,
    steps,
    told,
)

OTHER = new_id()


def a_pause(**scope: Any) -> PlanPaused:
    return PlanPaused(pause_id=new_id(), paused_at=NINE, **scope)


def a_cancellation(**scope: Any) -> PlanCancelled:
    days = {"first_day": TODAY, "last_day": TODAY} | scope
    return PlanCancelled(cancellation_id=new_id(), cancelled_at=NINE, **days)


async def held(pool: Pool, *news: PlanPaused | PlanResumed | PlanCancelled) -> None:
    types = {
        PlanPaused: plan_events.PLAN_PAUSED,
        PlanResumed: plan_events.PLAN_RESUMED,
        PlanCancelled: plan_events.PLAN_CANCELLED,
    }
    for one in news:
        await project_holds(pool, [told(one, types[type(one)])])


async def resumed(pool: Pool, pause: PlanPaused) -> None:
    await held(pool, PlanResumed(pause_id=pause.pause_id, resumed_at=NINE))


def scopes(person_id: UUID) -> list[tuple[dict[str, Any], bool]]:
    """Return scopes, and whether they hold the person's birthday."""
    return [
        ({}, True),
        ({"kind": "birthday"}, True),
        ({"person_id": person_id}, True),
        ({"person_id": person_id, "kind": "birthday"}, True),
        ({"kind": "anniversary"}, False),
        ({"person_id": OTHER}, False),
        ({"person_id": OTHER, "kind": "birthday"}, False),
        ({"person_id": person_id, "kind": "anniversary"}, False),
    ]


@pytest.mark.parametrize("scope", range(8))
@pytest.mark.parametrize("word", ["paused", "cancelled"])
async def test_what_is_held_is_handed_back_and_nothing_else(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    scope: int,
    word: str,
) -> None:
    given, is_held = scopes(ada.id)[scope]
    await held(pool, a_pause(**given) if word == "paused" else a_cancellation(**given))
    await deliver_requests(courier, [a_request(ada.id)])
    (answer,) = await published(pool)
    if is_held:
        assert (answer.type, answer.data.reason) == ("delivery.returned.v1", word)
        assert (provider.calls, await steps(pool, ada.id)) == (0, [])
    else:
        assert answer.type == "delivery.accepted.v1"


async def test_what_was_paused_is_sent_once_it_is_resumed(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    pause = a_pause()
    await held(pool, pause)
    await deliver_requests(courier, [a_request(ada.id)])
    await resumed(pool, pause)
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert [event.type for event in await published(pool)] == [
        "delivery.returned.v1",
        "delivery.accepted.v1",
    ]
    assert len(provider.mails) == 1


async def test_resuming_one_of_two_pauses_leaves_the_other(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    of_kind, of_person = a_pause(kind="birthday"), a_pause(person_id=ada.id)
    await held(pool, of_kind, of_person)
    await resumed(pool, of_kind)
    await deliver_requests(courier, [a_request(ada.id)])
    assert provider.calls == 0


async def test_a_resumption_wins_over_a_pause_that_comes_later_or_again(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    pause = a_pause()
    await resumed(pool, pause)
    await held(pool, pause, pause)
    await resumed(pool, pause)
    await deliver_requests(courier, [a_request(ada.id)])
    assert len(provider.mails) == 1


async def test_copies_of_the_same_news_change_nothing(pool: Pool) -> None:
    cancellation, pause = a_cancellation(), a_pause()
    events = [told(cancellation, plan_events.PLAN_CANCELLED)] * 2
    await project_holds(pool, events)
    await held(pool, cancellation, pause, pause)
    counts = [
        await pool.fetchval(f"SELECT count(*) FROM {table}")  # noqa: S608
        for table in ("cancellations", "pauses")
    ]
    assert counts == [1, 1]


async def test_other_days_are_not_called_off(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    tomorrow = date(2026, 6, 15)
    await held(pool, a_cancellation(first_day=tomorrow, last_day=tomorrow))
    await deliver_requests(courier, [a_request(ada.id)])
    assert len(provider.mails) == 1


async def test_only_what_is_held_of_a_batch_is_handed_back(
    courier: Courier, provider: FakeProvider, pool: Pool
) -> None:
    people = [a_person() for _ in range(6)]
    await project_contacts(pool, [told(person) for person in people])
    await held(pool, a_pause(person_id=people[0].id), a_cancellation(person_id=people[1].id))
    await deliver_requests(courier, [a_request(person.id) for person in people])
    assert {mail.recipient for mail in provider.mails} == {person.email for person in people[2:]}


async def test_a_copy_of_what_was_sent_before_the_pause_is_answered_as_sent(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id)])
    await held(pool, a_pause(), a_cancellation())
    await deliver_requests(courier, [a_request(ada.id)])
    assert [event.type for event in await published(pool)] == ["delivery.accepted.v1"] * 2
    assert len(provider.mails) == 1


async def test_another_attempt_is_held_like_the_first(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("busy")
    await deliver_requests(courier, [a_request(ada.id)])
    provider.answer = FakeProvider().answer
    await held(pool, a_pause(kind="birthday"))
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert (await published(pool))[-1].data.reason == "paused"
    assert provider.mails == []


async def test_who_is_removed_while_paused_is_told_as_removed(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    gone = msgspec.structs.replace(ada, version=2, schedule_version=2)
    await project_contacts(pool, [told(gone, "user.deleted.v1")])
    await held(pool, a_pause())
    await deliver_requests(courier, [a_request(ada.id)])
    assert [event.data.reason for event in await published(pool)] == ["user_removed"]
