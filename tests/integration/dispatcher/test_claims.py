"""The claim: what is sent, what is answered instead, and that nothing is claimed twice."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest

from contracts import user_events
from contracts.user_events import UserErased, UserRegistered
from libs.clock import FrozenClock
from libs.postgres.types import Pool
from services.dispatcher.adapters.refusals import RefusedValuesError
from services.dispatcher.adapters.suppressions import put_suppression
from services.dispatcher.app.claim_requests import claim_requests
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.settle_by_hand import Decision, settle_by_hand
from services.dispatcher.domain.address import normal_address
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Unknown
from tests.support.deliveries import (
    NINE,
    PERIOD,
    TODAY,
    FakeProvider,
    a_person,
    a_request,
    facts,
    published,
    steps,
    told,
)
from tests.support.town import until


async def test_due_request_is_sent_and_announced(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id)])
    assert [mail.text for mail in provider.mails] == ["Hey, Ada Lovelace it's your birthday"]
    assert await steps(pool, ada.id) == [(1, 0, "attempted", None), (1, 1, "accepted", None)]
    [accepted] = await published(pool)
    assert accepted.type == "delivery.accepted.v1"
    assert accepted.data.message_id == provider.mails[0].message_id
    assert await pool.fetchval("SELECT count(*) FROM open_claims") == 0


async def test_copy_is_answered_with_the_recorded_outcome(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id)])
    await deliver_requests(courier, [a_request(ada.id)])
    first, second = await published(pool)
    assert (second.id, second.data) == (first.id, first.data)
    assert provider.calls == 1


async def test_copy_of_an_attempt_in_flight_is_answered_with_nothing(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await claim_requests(courier, [a_request(ada.id)])
    await deliver_requests(courier, [a_request(ada.id)])
    assert (provider.calls, await published(pool)) == (0, [])


async def test_rebuilt_plan_learns_what_was_accepted_before(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("unreachable")
    await deliver_requests(courier, [a_request(ada.id)])
    provider.answer = FakeProvider().answer
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    for release in (1, 2, 3):
        await deliver_requests(courier, [a_request(ada.id, release=release)])
    answers = [(event.type, event.data.release) for event in await published(pool)][2:]
    assert answers == [("delivery.accepted.v1", 2)] * 3
    assert len(provider.mails) == 1


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"due_at": NINE + timedelta(microseconds=1)}, "early"),
        ({"expires_at": NINE - timedelta(microseconds=1)}, "expired"),
        ({"person_version": 2}, "contact_behind"),
        ({"kind": "coronation"}, "kind_unknown"),
    ],
    ids=["a microsecond early", "a microsecond late", "contact behind", "kind unknown"],
)
async def test_request_is_returned(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    changes: dict[str, Any],
    reason: str,
) -> None:
    await deliver_requests(courier, [a_request(ada.id, **changes)])
    [returned] = await published(pool)
    assert (returned.type, returned.data.reason) == ("delivery.returned.v1", reason)
    assert (provider.calls, await steps(pool, ada.id)) == (0, [])


async def test_person_who_moved_while_queued_is_returned_to_the_planner(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    moved = a_person(id=ada.id, version=2, schedule_version=2)
    await project_contacts(pool, [told(moved, user_events.USER_CHANGED)])
    await deliver_requests(courier, [a_request(ada.id, person_version=1)])
    assert [event.data.reason for event in await published(pool)] == ["schedule_changed"]


@pytest.mark.edge_case("EC-RC-002")
async def test_renamed_person_is_greeted_by_the_new_name(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    renamed = a_person(id=ada.id, version=2, schedule_version=1, first_name="Augusta")
    await project_contacts(pool, [told(renamed, user_events.USER_CHANGED)])
    await deliver_requests(courier, [a_request(ada.id, person_version=1)])
    assert provider.mails[0].text == "Hey, Augusta Lovelace it's your birthday"


@pytest.mark.parametrize(
    ("type_name", "changes", "reason"),
    [
        (user_events.USER_DELETED, {}, "user_removed"),
        (user_events.USER_CHANGED, {"opt_outs": ("birthday",)}, "opted_out"),
    ],
    ids=["EC-UD-016 EC-RC-003 deleted", "opted out"],
)
async def test_person_gone_while_queued_is_suppressed(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    type_name: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    changed = a_person(
        id=ada.id,
        version=2,
        schedule_version=2 if type_name == user_events.USER_DELETED else 1,
        **changes,
    )
    await project_contacts(pool, [told(changed, type_name)])
    await deliver_requests(courier, [a_request(ada.id)])
    assert await steps(pool, ada.id) == [(1, 0, "attempted", None), (1, 1, "suppressed", reason)]
    assert [event.data.reason for event in await published(pool)] == [reason]
    assert provider.calls == 0


async def test_erased_person_is_suppressed_and_stays_erased(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    erased = UserErased(id=ada.id, version=3, schedule_version=3)
    await project_contacts(pool, [told(erased, user_events.USER_ERASED)])
    await project_contacts(pool, [told(a_person(id=ada.id, version=2))])
    await deliver_requests(courier, [a_request(ada.id)])
    assert [event.data.reason for event in await published(pool)] == ["user_removed"]
    row = await pool.fetchrow("SELECT state, email, first_name FROM contacts")
    assert tuple(row or ()) == ("erased", None, None)


async def test_suppressed_address_gets_no_mail_however_it_is_written(
    courier: Courier, provider: FakeProvider, pool: Pool, clock: FrozenClock
) -> None:
    person = a_person(email="Ada@BÜCHER.example")
    await project_contacts(pool, [told(person)])
    async with pool.acquire() as connection:
        address = normal_address("ada@bücher.EXAMPLE")
        await put_suppression(connection, address, reason="bounced", now=clock.now())
    await deliver_requests(courier, [a_request(person.id)])
    blocks, suppressed = await published(pool)
    assert (blocks.data.blocks, suppressed.data.reason) == ({"*": "bounced"}, "address_suppressed")
    assert provider.calls == 0


async def test_period_already_greeted_is_not_greeted_on_another_day(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id)])
    await deliver_requests(courier, [a_request(ada.id, local_day=date(2026, 6, 13))])
    assert (await published(pool))[-1].data.reason == "already_greeted"
    assert len(provider.mails) == 1


async def test_two_days_of_one_period_in_one_batch_send_one_mail(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    days = [TODAY, date(2026, 6, 13)]
    await deliver_requests(courier, [a_request(ada.id, local_day=day) for day in days])
    assert len(provider.mails) == 1
    assert sorted(event.type for event in await published(pool)) == [
        "delivery.accepted.v1",
        "delivery.deferred.v1",
    ]
    await deliver_requests(courier, [a_request(ada.id, local_day=day, release=2) for day in days])
    reasons = [facts(event.data).get("reason") for event in await published(pool)]
    assert reasons.count("already_greeted") == 1
    assert len(provider.mails) == 1


@pytest.mark.parametrize(
    "decision", ["resend", "accepted"], ids=["it let go", "it was taken after all"]
)
async def test_another_day_waits_until_it_is_known_whether_the_first_was_greeted(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered, decision: Decision
) -> None:
    provider.answer = lambda _: Unknown("timed_out")
    await deliver_requests(courier, [a_request(ada.id, local_day=date(2026, 6, 13))])
    provider.answer = FakeProvider().answer
    await deliver_requests(courier, [a_request(ada.id)])
    assert facts((await published(pool))[-1].data)["reason"] == "in_flight"
    key = (date(2026, 6, 13), ada.id, "birthday")
    await settle_by_hand(pool, courier.greetings, key, decision, now=NINE)
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert len(provider.mails) == (decision == "resend")
    is_suppressed = facts((await published(pool))[-1].data).get("reason") == "already_greeted"
    assert is_suppressed is (decision == "accepted")


async def test_two_releases_of_one_occurrence_in_one_batch_send_one_mail(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id, release=n) for n in (1, 2)])
    assert len(provider.mails) == 1
    answers = {
        event.data.release: facts(event.data).get("reason") for event in await published(pool)
    }
    assert answers == {1: "in_flight", 2: None}


async def test_same_request_twice_in_one_batch_sends_one_mail(
    courier: Courier, provider: FakeProvider, ada: UserRegistered
) -> None:
    await deliver_requests(courier, [a_request(ada.id)] * 2)
    assert len(provider.mails) == 1


@pytest.mark.parametrize(
    ("result", "is_free"),
    [(Deferred("unreachable"), True), (Refused("nobody"), True), (Unknown("timed_out"), False)],
    ids=["deferred frees", "refused frees", "unknown holds"],
)
async def test_outcome_decides_whether_the_period_is_free_again(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    result: Any,
    is_free: bool,
) -> None:
    provider.answer = lambda _: result
    await deliver_requests(courier, [a_request(ada.id)])
    holder = await pool.fetchval("SELECT holder_day FROM greeted")
    assert (holder is None) is is_free


async def test_deferred_mail_is_sent_by_the_next_release(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Deferred("unreachable")
    await deliver_requests(courier, [a_request(ada.id)])
    provider.answer = FakeProvider().answer
    await deliver_requests(courier, [a_request(ada.id, release=2)])
    assert [step[2] for step in await steps(pool, ada.id)] == [
        "attempted",
        "deferred",
        "attempted",
        "accepted",
    ]


@pytest.mark.edge_case("EC-RC-001")
async def test_many_dispatchers_with_one_batch_send_each_mail_once(
    courier: Courier, provider: FakeProvider, pool: Pool
) -> None:
    people = [a_person() for _ in range(200)]
    await project_contacts(pool, [told(person) for person in people])
    forwards = [a_request(person.id) for person in people]
    batches = [forwards, forwards[::-1], forwards[50:] + forwards[:50]] * 2
    await asyncio.gather(*(deliver_requests(courier, batch) for batch in batches))
    assert sorted(mail.recipient for mail in provider.mails) == sorted(p.email for p in people)


@pytest.mark.edge_case("EC-RC-005")
async def test_releases_and_days_of_many_people_racing_send_one_mail_each(
    courier: Courier, provider: FakeProvider, pool: Pool
) -> None:
    people = [a_person() for _ in range(60)]
    await project_contacts(pool, [told(person) for person in people])
    batches = [
        [a_request(person.id, release=release, local_day=day) for person in people]
        for release in (1, 2, 3)
        for day in (TODAY, date(2026, 6, 13))
    ]
    await asyncio.gather(*(deliver_requests(courier, batch) for batch in batches))
    assert len(provider.mails) == len({mail.recipient for mail in provider.mails}) == 60


@pytest.mark.parametrize(
    ("holder_day", "ending"),
    [
        (date(2026, 6, 13), ("suppressed", "already_greeted")),
        (TODAY, ("deferred", "in_flight")),
    ],
    ids=["another day", "another release"],
)
async def test_period_taken_in_the_same_moment_ends_the_attempt(
    courier: Courier,
    provider: FakeProvider,
    pool: Pool,
    ada: UserRegistered,
    holder_day: date,
    ending: tuple[str, str],
) -> None:
    async with pool.acquire() as other:
        async with other.transaction():
            await other.execute(
                "INSERT INTO greeted VALUES ($1, $2, 'birthday', $3, 9)", PERIOD, ada.id, holder_day
            )
            claiming = asyncio.create_task(claim_requests(courier, [a_request(ada.id, release=2)]))
            await until(lambda: _waits_for_a_lock(pool))
        assert await claiming is None
    assert (await steps(pool, ada.id))[-1][2:] == ending
    assert provider.calls == 0


async def test_provider_s_odd_ids_and_answers_can_be_stored(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    provider.answer = lambda _: Accepted("a\x00b" + "c" * 999)
    await deliver_requests(courier, [a_request(ada.id)])
    assert (await published(pool))[0].data.message_id == "ab" + "c" * 198


async def test_request_that_cannot_be_stored_is_refused_as_a_whole(
    courier: Courier, pool: Pool, ada: UserRegistered
) -> None:
    bad = a_request(ada.id, local_day=date(2031, 6, 14))
    with pytest.raises(RefusedValuesError):
        await deliver_requests(courier, [a_request(ada.id), bad])
    assert await steps(pool, ada.id) == []


async def _waits_for_a_lock(pool: Pool) -> bool | None:
    waiting = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(waiting) or None
