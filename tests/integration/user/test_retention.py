"""What is deleted is erased when its retention time is over, everywhere it was told."""

from datetime import timedelta

import pytest

from services.user.adapters.reading import list_deleted
from services.user.adapters.sql import SQL
from services.user.adapters.store import Store
from services.user.app.errors import PersonNotFoundError
from services.user.app.remove import delete, erase, restore
from services.user.app.upkeep import erase_unrestorable
from tests.integration.user.asking import ORIGIN, logged_types, registered
from tests.support.people import NOW

RETENTION = timedelta(days=30)
DAY = timedelta(days=1)


async def test_only_those_deleted_longer_than_the_retention_time_are_erased(store: Store) -> None:
    people = [await registered(store) for _ in range(4)]
    for person, days in zip(people[:3], (0, 5, 10), strict=True):
        await delete(store, person.id, origin=ORIGIN, now=NOW + days * DAY)
    assert await erase_unrestorable(store, retention=RETENTION, now=NOW + 30 * DAY) == 0
    assert await erase_unrestorable(store, retention=RETENTION, now=NOW + 36 * DAY) == 2
    assert [(await logged_types(store, person.id))[-1] for person in people] == [
        "user.erased.v1",
        "user.erased.v1",
        "user.deleted.v1",
        "user.registered.v1",
    ]


async def test_restored_person_is_not_erased(store: Store) -> None:
    person = await registered(store)
    await delete(store, person.id, origin=ORIGIN, now=NOW)
    await restore(store, person.id, retention=RETENTION, origin=ORIGIN, now=NOW + DAY)
    assert await erase_unrestorable(store, retention=RETENTION, now=NOW + 99 * DAY) == 0
    await delete(store, person.id, origin=ORIGIN, now=NOW + 99 * DAY)
    assert await erase_unrestorable(store, retention=RETENTION, now=NOW + 100 * DAY) == 0


async def test_last_moment_of_the_retention_time_belongs_to_it(store: Store) -> None:
    person = await registered(store)
    deleted_at = NOW + timedelta(milliseconds=500)
    await delete(store, person.id, origin=ORIGIN, now=deleted_at)
    assert await list_deleted(store, before=deleted_at + DAY, limit=9) == [person.id]
    assert await erase_unrestorable(store, retention=RETENTION, now=deleted_at + RETENTION) == 0
    late = deleted_at + RETENTION + timedelta(seconds=1)
    with pytest.raises(Exception, match="deleted at"):
        await restore(store, person.id, retention=RETENTION, origin=ORIGIN, now=late)
    assert await erase_unrestorable(store, retention=RETENTION, now=late) == 1


async def test_many_are_erased_in_bounded_rounds(store: Store) -> None:
    people = [await registered(store) for _ in range(101)]
    for person in people:
        await delete(store, person.id, origin=ORIGIN, now=NOW)
    late = NOW + 31 * DAY
    rounds = [await erase_unrestorable(store, retention=RETENTION, now=late) for _ in range(3)]
    assert rounds == [100, 1, 0]
    assert await store.pool.fetchval("SELECT count(*) FROM people WHERE status = 'erased'") == 101


async def test_erased_person_is_not_erased_again(store: Store) -> None:
    person = await registered(store)
    await erase(store, person.id, origin=ORIGIN, now=NOW)
    assert await erase_unrestorable(store, retention=RETENTION, now=NOW + 99 * DAY) == 0
    with pytest.raises(PersonNotFoundError):
        await erase(store, person.id, origin=ORIGIN, now=NOW)


async def test_deleted_are_found_by_their_index(store: Store) -> None:
    async with store.pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO people (person_id, version, schedule_version, status, state, email_key)"
            " SELECT gen_random_uuid(), 1, 1, 'active', '{}', n::text"
            " FROM generate_series(1, 20000) AS n"
        )
        await connection.execute("ANALYZE people")
        rows = await connection.fetch("EXPLAIN " + SQL.list_deleted, "2026-06-14T12:00:00Z", 100)
    assert "people_deleted_idx" in "\n".join(row[0] for row in rows)
