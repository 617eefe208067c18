"""Registrations that come while one is being committed share the next commit, and nothing else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from libs.ids import new_id
from services.user.adapters import registering
from services.user.adapters.appending import KeyInFlightError
from services.user.adapters.registering import Registrations
from services.user.adapters.store import Origin, Store, UnavailableError
from services.user.app.errors import TakenError
from services.user.app.read import get_history
from services.user.app.register import register
from services.user.domain.person import Person
from tests.integration.user.asking import ORIGIN, count, keyed, queued_events
from tests.support.people import NOW, RULES, a_document

Task = asyncio.Task[Person]


@pytest.fixture
def registrations(store: Store) -> Registrations:
    """Return what the registrations of one process share."""
    return Registrations(store)


async def registering_one(
    registrations: Registrations, *, origin: Origin = ORIGIN, **fields: Any
) -> Person:
    written = await register(
        registrations,
        a_document(**fields),
        person_id=new_id(),
        rules=RULES,
        origin=origin,
        now=NOW,
    )
    assert isinstance(written.state, Person)
    return written.state


@asynccontextmanager
async def a_commit_under_way(store: Store, registrations: Registrations) -> AsyncIterator[Task]:
    """Yield a registration that cannot be committed before this context ends."""
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("LOCK TABLE people IN SHARE MODE")
        first = asyncio.create_task(registering_one(registrations))
        await _until_waiting(store)
        yield first


async def test_those_that_wait_share_one_commit(store: Store, registrations: Registrations) -> None:
    async with a_commit_under_way(store, registrations) as first:
        others = [asyncio.create_task(registering_one(registrations)) for _ in range(9)]
        await asyncio.sleep(0)
    people = await asyncio.gather(first, *others)
    rows = await store.pool.fetch("SELECT items FROM outbox ORDER BY position")
    assert [row["items"] for row in rows] == [1, 9]
    told = [event.data.id for event in await queued_events(store)]
    logged = await store.pool.fetch("SELECT stream_id FROM events ORDER BY position")
    assert told == [row["stream_id"] for row in logged] == [person.id for person in people]
    transactions = await store.pool.fetch("SELECT DISTINCT xmin::text FROM events")
    assert len(transactions) == 2


async def test_each_keeps_trace_caller_and_key_of_its_own(
    store: Store, registrations: Registrations
) -> None:
    traces = [f"00-{number:032x}-{number:016x}-01" for number in range(1, 4)]
    origins = [
        Origin(
            caller=f"caller{place}",
            traceparent=trace,
            idempotency_key="same",
            request_hash=trace.encode(),
        )
        for place, trace in enumerate(traces)
    ]
    async with a_commit_under_way(store, registrations):
        tasks = [
            asyncio.create_task(registering_one(registrations, origin=origin)) for origin in origins
        ]
        await _until_asked(store, questions=3)
    people = await asyncio.gather(*tasks)
    entries = [
        (await get_history(store, person.id, after_version=0, limit=1)).entries[0]
        for person in people
    ]
    assert [entry.caller for entry in entries] == [origin.caller for origin in origins]
    told = {event.data.id: event.traceparent for event in await queued_events(store)}
    assert [told[person.id] for person in people] == traces
    kept = await store.pool.fetch("SELECT caller, request_hash, person_id FROM idempotency_keys")
    assert {(row["caller"], row["request_hash"], row["person_id"]) for row in kept} == {
        (origin.caller, origin.request_hash, person.id)
        for origin, person in zip(origins, people, strict=True)
    }
    again = [await registering_one(registrations, origin=origin) for origin in origins]
    assert again == people


async def test_taken_address_and_external_id_lose_alone(
    store: Store, registrations: Registrations
) -> None:
    await registering_one(registrations, email="taken@example.com", external_id="7")
    async with a_commit_under_way(store, registrations):
        offered: list[dict[str, Any]] = [
            {"email": "first@example.com"},
            {"email": "Taken@example.com"},
            {"email": "FIRST@example.com"},
            {"external_id": "7"},
            {"email": "last@example.com"},
        ]
        tasks = [
            asyncio.create_task(registering_one(registrations, **fields)) for fields in offered
        ]
        await asyncio.sleep(0)
    answers = await asyncio.gather(*tasks, return_exceptions=True)
    assert [getattr(answer, "fields", None) for answer in answers] == [
        None,
        ("email",),
        ("email",),
        ("external_id",),
        None,
    ]
    assert await count(store, "events") == 4


@pytest.mark.parametrize("table", ["events", "person_keys", "outbox", "idempotency_keys"])
async def test_row_that_postgresql_refuses_fails_alone(
    store: Store, registrations: Registrations, table: str
) -> None:
    refused = new_id()
    columns = {"events": "stream_id", "outbox": "items", "idempotency_keys": "key"}
    column = columns.get(table, "person_id")
    value = {"outbox": "3", "idempotency_keys": "'refused'"}.get(table, f"'{refused}'")
    refusal = f"ALTER TABLE {table} ADD CONSTRAINT refusal CHECK ({column} <> {value}) NOT VALID"
    await store.pool.execute(refusal)

    async def offered(place: int) -> Person:
        written = await register(
            registrations,
            a_document(),
            person_id=refused if place == 1 else new_id(),
            rules=RULES,
            origin=keyed("refused" if place == 1 else None),
            now=NOW,
        )
        assert isinstance(written.state, Person)
        return written.state

    try:
        async with a_commit_under_way(store, registrations):
            tasks = [asyncio.create_task(offered(place)) for place in range(3)]
            await _until_asked(store, questions=3)
        answers = await asyncio.gather(*tasks, return_exceptions=True)
    finally:
        await store.pool.execute(f"ALTER TABLE {table} DROP CONSTRAINT refusal")
    # A row of the outbox is the batch's own: of three events it is refused, of one never.
    wanted = [True, table == "outbox", True]
    assert [isinstance(answer, Person) for answer in answers] == wanted
    kept = 1 + sum(wanted)
    assert [await count(store, one) for one in ("people", "events", "person_keys")] == [kept] * 3
    assert len(await queued_events(store)) == kept


async def test_copy_of_a_request_in_the_same_process_is_told_to_wait(
    store: Store, registrations: Registrations
) -> None:
    origin = keyed()
    async with a_commit_under_way(store, registrations):
        both = [
            asyncio.create_task(registering_one(registrations, origin=origin)) for _ in range(2)
        ]
        done, waiting = await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        assert [type(task.exception()) for task in done] == [KeyInFlightError]
    first = await waiting.pop()
    assert await registering_one(registrations, origin=origin) == first


async def test_key_another_process_recorded_meanwhile_is_answered_from_its_record(
    store: Store, registrations: Registrations
) -> None:
    origin, document = keyed(), a_document()

    async def once_more(shared: Registrations) -> Person:
        written = await register(
            shared, document, person_id=new_id(), rules=RULES, origin=origin, now=NOW
        )
        assert isinstance(written.state, Person)
        return written.state

    async with a_commit_under_way(store, registrations):
        here = asyncio.create_task(once_more(registrations))
        companion = asyncio.create_task(registering_one(registrations))
        await _until_asked(store, questions=1)
        elsewhere = asyncio.create_task(once_more(Registrations(store)))
        await _until_waiting(store, sessions=2)
    answers = await asyncio.gather(here, elsewhere, return_exceptions=True)
    people = [answer for answer in answers if isinstance(answer, Person)]
    assert people == [await once_more(registrations)] * len(people)
    assert {type(answer) for answer in answers} <= {Person, KeyInFlightError}
    assert await companion
    assert await count(store, "events") == 3


async def test_client_that_goes_away_takes_nobody_along(
    store: Store, registrations: Registrations
) -> None:
    async with a_commit_under_way(store, registrations) as first:
        gone, kept = (asyncio.create_task(registering_one(registrations)) for _ in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        first.cancel()
    assert (await kept).version == 1
    assert await count(store, "events") == 2


async def test_everybody_who_waits_is_told_that_the_database_is_away(
    store: Store, registrations: Registrations
) -> None:
    async with a_commit_under_way(store, registrations) as first:
        others = [asyncio.create_task(registering_one(registrations)) for _ in range(5)]
        await asyncio.sleep(0)
        await store.pool.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert {type(answer) for answer in answers} == {UnavailableError}
    await registering_one(registrations)
    assert await count(store, "events") == 1


async def test_more_than_may_wait_are_told_to_come_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "WAITING_MAX", 3)
    registrations = Registrations(store)
    async with a_commit_under_way(store, registrations):
        tasks = [asyncio.create_task(registering_one(registrations)) for _ in range(5)]
        done, waiting = await asyncio.wait(tasks, timeout=0.1)
        assert {type(task.exception()) for task in done} == {UnavailableError}
        assert (len(done), len(waiting)) == (2, 3)
    await asyncio.gather(*waiting)


async def test_registration_held_up_by_another_transaction_holds_up_nobody(
    store: Store, registrations: Registrations
) -> None:
    await registering_one(registrations, email="ada@example.com")
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute("UPDATE people SET email_key = 'wanted@example.com'")
        held_up = asyncio.create_task(registering_one(registrations, email="wanted@example.com"))
        await _until_waiting(store)
        async with asyncio.timeout(5):
            await registering_one(registrations)
        assert not held_up.done()
    with pytest.raises(TakenError):
        await held_up


async def _until_waiting(store: Store, *, sessions: int = 1) -> None:
    """Return once so many sessions wait for a lock."""
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    async with asyncio.timeout(10):
        while await store.pool.fetchval(waiting) < sessions:
            await store.pool.execute("SELECT pg_sleep(0.01)")


async def _until_asked(store: Store, *, questions: int) -> None:
    """Return once so many requests have looked their keys up: now they wait for the commit."""
    for _ in range(questions + 1):
        await store.pool.execute("SELECT pg_sleep(0.01)")
