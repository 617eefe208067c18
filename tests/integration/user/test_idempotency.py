"""One key, one write, one answer, however often it is asked for."""

import asyncio
from datetime import timedelta

import pytest

from services.user.adapters.appending import KeyInFlightError
from services.user.adapters.store import Origin, Store
from services.user.app.change import change
from services.user.app.errors import KeyReusedError, PersonErasedError
from services.user.app.remove import delete, erase
from services.user.app.upkeep import forget_old_keys
from services.user.domain.person import Person, Tombstone
from tests.integration.user.asking import ORIGIN, count, keyed, registered
from tests.support.people import NOW, RULES


@pytest.mark.edge_case("EC-DB-014")
async def test_lost_answer_is_given_again(store: Store) -> None:
    """The write was committed, then the process died before it answered."""
    origin = keyed()
    first = await registered(store, origin=origin, email="ada@example.com")
    again = await registered(store, origin=origin, email="ada@example.com")
    assert again == first
    assert await count(store, "events") == 1


async def test_answer_given_again_is_the_old_one(store: Store) -> None:
    person, origin = await registered(store), keyed()

    async def patch(name: str, by: Origin) -> Person:
        written = await change(
            store, person.id, {"first_name": name}, rules=RULES, origin=by, now=NOW
        )
        assert isinstance(written.state, Person)
        return written.state

    first = await patch("Ida", origin)
    await patch("Augusta", ORIGIN)
    assert await patch("Ida", origin) == first
    assert await count(store, "events") == 3


async def test_write_that_changed_nothing_stays_harmless(store: Store) -> None:
    person, origin = await registered(store), keyed()
    for patch, by in (({"first_name": "Ada"}, origin), ({"first_name": "Ida"}, ORIGIN)):
        await change(store, person.id, patch, rules=RULES, origin=by, now=NOW)
    again = await change(
        store, person.id, {"first_name": "Ada"}, rules=RULES, origin=origin, now=NOW
    )
    assert again.is_replay
    assert again.state == person
    assert await count(store, "events") == 2


async def test_key_stands_for_one_request(store: Store) -> None:
    await registered(store, origin=keyed("k", request=b"one"))
    with pytest.raises(KeyReusedError):
        await registered(store, origin=keyed("k", request=b"other"))


async def test_callers_have_keys_of_their_own(store: Store) -> None:
    one = await registered(store, origin=keyed("k", caller="one"))
    other = await registered(store, origin=keyed("k", caller="other"))
    assert one.id != other.id


async def test_repeated_deletion_is_answered_alike(store: Store) -> None:
    person, origin = await registered(store), keyed()
    first = await delete(store, person.id, origin=origin, now=NOW)
    again = await delete(store, person.id, origin=origin, now=NOW)
    assert (again.state, again.is_replay) == (first.state, True)


async def test_many_copies_of_one_request_write_once(store: Store) -> None:
    origin = keyed()
    results = await asyncio.gather(
        *(registered(store, origin=origin, email="ada@example.com") for _ in range(20)),
        return_exceptions=True,
    )
    people = {result.id for result in results if isinstance(result, Person)}
    failures = {type(result) for result in results if isinstance(result, BaseException)}
    assert len(people) == 1
    assert failures <= {KeyInFlightError}
    assert await count(store, "events") == 1


async def test_copy_is_refused_while_the_first_is_under_way(store: Store) -> None:
    person, origin = await registered(store), keyed()

    async def patch() -> Person | Tombstone:
        name = {"first_name": "Ida"}
        written = await change(store, person.id, name, rules=RULES, origin=origin, now=NOW)
        return written.state

    async with store.pool.acquire() as connection:
        blocking = connection.transaction()
        await blocking.start()
        await connection.execute("SELECT FROM people WHERE person_id = $1 FOR UPDATE", person.id)
        first = asyncio.create_task(patch())
        await _until_blocked(store)
        with pytest.raises(KeyInFlightError):
            await patch()
        await blocking.rollback()
    assert (await first).version == 2


async def test_failed_write_leaves_its_key_free(store: Store) -> None:
    await registered(store, email="ada@example.com")
    origin = keyed()
    with pytest.raises(Exception, match="email taken"):
        await registered(store, origin=origin, email="ada@example.com")
    await registered(store, origin=origin, email="ida@example.com")


async def test_erasure_purges_answers(store: Store) -> None:
    origin = keyed()
    person = await registered(store, origin=origin, email="ada@example.com")
    await erase(store, person.id, origin=ORIGIN, now=NOW)
    with pytest.raises(PersonErasedError):
        await registered(store, origin=origin, email="ada@example.com")
    assert await store.pool.fetchval("SELECT request_hash FROM idempotency_keys") is None


async def test_erasure_itself_can_be_repeated(store: Store) -> None:
    person, origin = await registered(store), keyed()
    await erase(store, person.id, origin=origin, now=NOW)
    again = await erase(store, person.id, origin=origin, now=NOW)
    assert isinstance(again.state, Tombstone)
    assert again.is_replay


async def test_old_keys_are_forgotten(store: Store) -> None:
    await registered(store, origin=keyed())
    assert not await forget_old_keys(store, older_than=timedelta(days=7))
    assert await count(store, "idempotency_keys") == 1
    await forget_old_keys(store, older_than=timedelta(0))
    assert await count(store, "idempotency_keys") == 0


async def _until_blocked(store: Store) -> None:
    """Return once some session waits for a row lock."""
    blocked = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock')"
    )
    async with asyncio.timeout(10):
        while not await store.pool.fetchval(blocked):
            await store.pool.execute("SELECT pg_sleep(0.01)")
