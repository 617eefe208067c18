"""Claims and outcomes as a whole: all of a batch, or nothing of it, and then one by one."""

import asyncio
from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest

from contracts import user_events
from contracts.dispatch import DispatchRequested
from contracts.user_events import UserRegistered
from libs.ids import new_id
from libs.postgres.types import Pool
from services.dispatcher.adapters import delivery_claims
from services.dispatcher.adapters.delivery_cases import OpposedError
from services.dispatcher.adapters.delivery_claims import Judgement
from services.dispatcher.app.claim_requests import claim_requests
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.domain.delivery import Deferred
from tests.support.deliveries import (
    NINE,
    PERIOD,
    TODAY,
    FakeProvider,
    a_person,
    a_request,
    published,
    steps,
    told,
)
from tests.support.town import until

YESTERDAY = TODAY - timedelta(days=1)


async def claimed_whole(pool: Pool, requests: Sequence[DispatchRequested]) -> Judgement:
    async with pool.acquire() as connection, connection.transaction():
        return await delivery_claims.claim_unopposed(
            connection,
            requests,
            now=NINE,
            claim_id=new_id(),
            lease_s=10.0,
            provider="smtp",
            texts_as_of=0,
        )


async def test_batch_of_many_cases_is_claimed_as_a_whole_in_its_order(pool: Pool) -> None:
    people = [a_person(first_name=f"Ada {number}") for number in range(9)]
    await project_contacts(pool, [told(person) for person in people])
    requests = [
        a_request(
            person.id,
            local_day=(TODAY, YESTERDAY)[number % 2],
            kind=("birthday", "anniversary", "birthday")[number % 3],
            due_at=NINE - timedelta(minutes=number),
            years=number,
        )
        for number, person in enumerate(people)
    ]
    judgement = await claimed_whole(pool, requests)
    assert [claim.request for claim in judgement.claims] == requests
    assert [claim.recipient.first_name for claim in judgement.claims] == [
        person.first_name for person in people
    ]
    rows = await pool.fetch(
        "SELECT local_day, person_id, kind, release, period, due_at, expires_at, years"
        " FROM delivery_events WHERE lease_until = $1 ORDER BY years",
        judgement.lease_until,
    )
    assert [tuple(row) for row in rows] == [
        (
            one.local_day, one.person_id, one.kind, 1, one.period, one.due_at, one.expires_at,
            one.years,
        )
        for one in requests
    ]  # fmt: skip
    assert await pool.fetchval("SELECT count(*) FROM greeted WHERE holder_release = 1") == 9


_PAUSE = "INSERT INTO pauses (pause_id, person_id, kind, paused_at) VALUES (gen_random_uuid(), "
_CANCELLATION = (
    "INSERT INTO cancellations"
    " (cancellation_id, cancelled_at, first_day, last_day, person_id, kind)"
    " VALUES (gen_random_uuid(), now(), "
)
_GREETED = "INSERT INTO greeted (period, person_id, kind, holder_day, holder_release) VALUES "

SPEAKING: dict[str, tuple[dict[str, Any], str]] = {
    "early": ({"due_at": NINE + timedelta(microseconds=1)}, ""),
    "late": ({"expires_at": NINE - timedelta(microseconds=1)}, ""),
    "contact behind": ({"person_version": 2}, ""),
    "contact unknown": ({}, "DELETE FROM contacts WHERE person_id = '{id}'"),
    "schedule changed": (
        {},
        "UPDATE contacts SET schedule_version = 2 WHERE person_id = '{id}'",
    ),
    "gone": (
        {},
        (
            "UPDATE contacts SET (state, email, address) = ('deleted', NULL, NULL)"
            " WHERE person_id = '{id}'"
        ),
    ),
    "opted out": (
        {},
        "UPDATE contacts SET opt_outs = ARRAY['birthday'] WHERE person_id = '{id}'",
    ),
    "unsubscribed": ({}, "INSERT INTO unsubscribes VALUES ('{id}', 'birthday', now())"),
    "suppressed": (
        {},
        (
            "INSERT INTO suppressions SELECT address, 'bounced', now() FROM contacts"
            " WHERE person_id = '{id}'"
        ),
    ),
    "paused": ({}, _PAUSE + "'{id}', NULL, now())"),
    "kind paused": ({}, _PAUSE + "NULL, 'birthday', now())"),
    "cancelled": ({}, _CANCELLATION + "'2026-06-14', '2026-06-14', '{id}', NULL)"),
    "kind cancelled": ({}, _CANCELLATION + "'2026-06-14', '2026-06-14', NULL, 'birthday')"),
    "period held": ({}, _GREETED + "('2026-01-01', '{id}', 'birthday', '2026-06-13', 1)"),
    "period let go": ({}, _GREETED + "('2026-01-01', '{id}', 'birthday', NULL, NULL)"),
    "no partition": ({"local_day": date(2031, 6, 14)}, ""),
}
HOLDING_OTHERS = (
    "INSERT INTO unsubscribes VALUES ('{id}', 'birthday', now())",
    "INSERT INTO suppressions VALUES ('someone@example.org', 'bounced', now())",
    _PAUSE + "'{id}', NULL, now())",
    _PAUSE + "NULL, 'anniversary', now())",
    _CANCELLATION + "'2026-06-14', '2026-06-14', '{id}', NULL)",
    _CANCELLATION + "'2026-06-13', '2026-06-13', NULL, NULL)",
)


@pytest.mark.parametrize(("changes", "sql"), SPEAKING.values(), ids=SPEAKING)
async def test_whole_batch_is_left_alone_where_anything_speaks_against_one(
    pool: Pool, ada: UserRegistered, changes: dict[str, Any], sql: str
) -> None:
    others = [a_person() for _ in range(3)]
    await project_contacts(pool, [told(person) for person in others])
    if sql:
        await pool.execute(sql.format(id=ada.id))
    batch = [*(a_request(person.id) for person in others), a_request(ada.id, **changes)]
    with pytest.raises(OpposedError):
        await claimed_whole(pool, batch)
    counts = "SELECT (SELECT count(*) FROM delivery_events) + (SELECT count(*) FROM open_claims)"
    assert await pool.fetchval(counts) == 0


async def test_what_holds_others_does_not_hold_a_batch(pool: Pool, ada: UserRegistered) -> None:
    for sql in HOLDING_OTHERS:
        await pool.execute(sql.format(id=new_id()))
    assert len((await claimed_whole(pool, [a_request(ada.id)])).claims) == 1


async def test_neighbours_of_someone_who_left_are_sent_all_the_same(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    gone = a_person(version=2, schedule_version=2)
    await project_contacts(pool, [told(gone, user_events.USER_DELETED)])
    await deliver_requests(courier, [a_request(gone.id), a_request(ada.id)])
    assert [mail.recipient for mail in provider.mails] == [ada.email]
    assert {event.type for event in await published(pool)} == {
        "delivery.accepted.v1",
        "delivery.suppressed.v1",
    }


@pytest.mark.parametrize("is_kept", [True, False], ids=["it took it", "it let go"])
async def test_batch_waits_for_a_copy_of_itself(
    courier: Courier, pool: Pool, ada: UserRegistered, is_kept: bool
) -> None:
    async with pool.acquire() as other:
        first = other.transaction()
        await first.start()
        await other.execute(
            "INSERT INTO greeted VALUES ($1, $2, 'birthday', $3, 1)", PERIOD, ada.id, TODAY
        )
        claiming = asyncio.create_task(claim_requests(courier, [a_request(ada.id)]))
        await until(lambda: _waits_for_a_lock(pool))
        await (first.commit() if is_kept else first.rollback())
        claimed = await claiming
    assert (claimed is None) is is_kept
    assert len(await steps(pool, ada.id)) == (0 if is_kept else 1)


async def test_outcomes_of_a_mixed_batch_are_recorded_one_by_one(
    courier: Courier, provider: FakeProvider, pool: Pool, ada: UserRegistered
) -> None:
    other = a_person()
    await project_contacts(pool, [told(other)])
    accept = provider.answer
    provider.answer = lambda mail: (
        Deferred("try_later") if mail.recipient == other.email else accept(mail)
    )
    await deliver_requests(courier, [a_request(ada.id), a_request(other.id)])
    assert [step[2] for step in await steps(pool, ada.id)] == ["attempted", "accepted"]
    assert [step[2] for step in await steps(pool, other.id)] == ["attempted", "deferred"]
    assert await pool.fetchval("SELECT count(*) FROM open_claims") == 0


async def _waits_for_a_lock(pool: Pool) -> bool | None:
    waiting = await pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return bool(waiting) or None
