"""One statement per write: all of it or nothing, one winner, no neighbour harmed."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from contracts.user_events import (
    USER_CHANGED,
    USER_DELETED,
    USER_REGISTERED,
    USER_RESTORED,
)
from libs.ids import new_id
from libs.postgres.pool import open_pool
from services.user.adapters.appending import append_changes
from services.user.adapters.reading import Found, find_person
from services.user.adapters.registering import append_registrations
from services.user.adapters.store import Store
from services.user.app.change import change, replace
from services.user.app.errors import (
    PersonNotFoundError,
    RetentionOverError,
    TakenError,
    VersionMismatchError,
)
from services.user.app.read import get_living
from services.user.app.remove import delete, restore
from services.user.domain.person import change_person, register_person
from tests.integration.user.asking import (
    ORIGIN,
    count,
    keyed,
    logged_types,
    queued_events,
    registered,
)
from tests.support.people import NOW, RULES, a_document, a_profile

RETENTION = timedelta(days=30)


async def test_registration_writes_state_event_key_and_message(store: Store) -> None:
    person = await registered(store, birthday="1990-06-14")
    assert await get_living(store, person.id) == person
    assert await logged_types(store, person.id) == [USER_REGISTERED]
    assert await count(store, "person_keys") == 1
    (event,) = await queued_events(store)
    assert (event.type, event.data.id, event.data.version) == (USER_REGISTERED, person.id, 1)
    assert event.data.dates_since == {"birthday": NOW}


async def test_one_of_many_simultaneous_registrations_wins(store: Store) -> None:
    results = await asyncio.gather(
        *(registered(store, email="ada@example.com") for _ in range(20)), return_exceptions=True
    )
    losers = [result for result in results if isinstance(result, BaseException)]
    assert [getattr(loser, "fields", loser) for loser in losers] == [("email",)] * 19
    assert [await count(store, table) for table in ("people", "events", "outbox")] == [1, 1, 1]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}\u200d\N{BOY}" * 100, id="joined emoji"),
        pytest.param("\ufdfa" * 100, id="ligatures of 18 letters"),
        pytest.param("\U0001f382" * 100, id="four bytes each"),
    ],
)
async def test_longest_names_are_kept(store: Store, name: str) -> None:
    person = await registered(store, first_name=name, last_name=name, external_id=name[:128])
    assert (await get_living(store, person.id)).profile.last_name == name


@pytest.mark.edge_case("EC-UD-014")
async def test_taken_address_and_external_id_are_both_named(store: Store) -> None:
    taken = await registered(store, external_id="7")
    with pytest.raises(TakenError) as refused:
        await registered(store, email=taken.profile.email.upper(), external_id="7")
    assert refused.value.fields == ("email", "external_id")


@pytest.mark.edge_case("EC-DB-009")
@pytest.mark.parametrize("table", ["events", "person_keys", "outbox", "idempotency_keys"])
async def test_registration_that_fails_on_the_way_leaves_nothing(store: Store, table: str) -> None:
    """Whichever of its rows PostgreSQL refuses."""
    refusal = f"ALTER TABLE {table} ADD CONSTRAINT refusal CHECK (false) NOT VALID"
    await store.pool.execute(refusal)
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await registered(store, origin=keyed())
    finally:
        await store.pool.execute(f"ALTER TABLE {table} DROP CONSTRAINT refusal")
    kept = ("people", "events", "person_keys", "outbox", "idempotency_keys")
    assert [await count(store, one) for one in kept] == [0] * 5
    await registered(store, origin=keyed())
    assert await count(store, "events") == 1


async def test_conflict_in_a_batch_harms_no_neighbour(store: Store) -> None:
    await registered(store, email="taken@example.com")
    profiles = [
        a_profile(email="first@example.com", external_id="1"),
        a_profile(email="taken@example.com"),
        a_profile(email="First@example.com"),
        a_profile(email="second@example.com", external_id="1"),
        a_profile(email="third@example.com"),
    ]
    changes = [register_person(new_id(), profile, NOW) for profile in profiles]
    verdicts = await append_registrations(store, changes, origin=ORIGIN, now=NOW)
    assert [verdict.has_won for verdict in verdicts] == [True, False, False, False, True]
    assert [verdict.is_contended for verdict in verdicts] == [False, False, True, True, False]
    assert [await count(store, table) for table in ("people", "events", "person_keys")] == [3, 3, 3]
    assert {event.data.email for event in await queued_events(store)} == {
        "taken@example.com",
        "first@example.com",
        "third@example.com",
    }


async def test_outbox_rows_hold_500_events_at_most(store: Store) -> None:
    changes = [register_person(new_id(), a_profile(), NOW) for _ in range(1001)]
    await append_registrations(store, changes, origin=ORIGIN, now=NOW)
    rows = await store.pool.fetch("SELECT items FROM outbox ORDER BY position")
    assert sorted(row["items"] for row in rows) == [1, 500, 500]
    assert [event.data.id for event in await queued_events(store)].count(changes[7].after.id) == 1
    assert await count(store, "events") == 1001


@pytest.mark.edge_case("EC-Q-011")
async def test_outbox_rows_hold_less_than_a_megabyte(store: Store) -> None:
    """However long the names of those who are imported or changed together."""
    long = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}" * 100
    fields = {"first_name": long, "last_name": long, "location_city": long}
    changes = [register_person(new_id(), a_profile(**fields), NOW) for _ in range(500)]
    await append_registrations(store, changes, origin=ORIGIN, now=NOW)
    rows = await store.pool.fetch("SELECT items, length(body) AS bytes FROM outbox")
    assert sum(row["items"] for row in rows) == len(await queued_events(store)) == 500
    assert sum(row["bytes"] for row in rows) > 1_000_000 > max(row["bytes"] for row in rows)


@pytest.mark.edge_case("EC-DB-010", "EC-RC-013")
async def test_batches_in_opposite_order_do_not_fail(store: Store) -> None:
    profiles = [a_profile(external_id=f"x{index}") for index in range(200)]
    forth = [register_person(new_id(), profile, NOW) for profile in profiles]
    back = [register_person(new_id(), profile, NOW) for profile in reversed(profiles)]
    both = await asyncio.gather(
        append_registrations(store, forth, origin=ORIGIN, now=NOW),
        append_registrations(store, back, origin=ORIGIN, now=NOW),
    )
    assert sum(verdict.has_won for verdicts in both for verdict in verdicts) == 200
    assert await count(store, "events") == 200


@pytest.mark.edge_case("EC-RC-009")
async def test_of_two_edits_of_one_version_one_wins(store: Store) -> None:
    person = await registered(store)
    found = await find_person(store, person.id)
    assert isinstance(found, Found)
    changes = [
        change_person(person, a_profile(email=person.profile.email, first_name=name), NOW)
        for name in ("Augusta", "Ida")
    ]
    verdicts = await asyncio.gather(
        *(
            append_changes(store, [(one, found.key)], origin=ORIGIN, now=NOW)
            for one in changes
            if one is not None
        )
    )
    assert sorted(verdict.has_won for (verdict,) in verdicts) == [False, True]
    assert (await get_living(store, person.id)).version == 2


@pytest.mark.edge_case("EC-RC-009", "EC-PF-017")
async def test_simultaneous_patches_of_different_fields_all_count(store: Store) -> None:
    person = await registered(store)
    patches = [{"first_name": "Augusta"}, {"last_name": "King"}, {"location_city": "London"}]
    await asyncio.gather(
        *(change(store, person.id, patch, rules=RULES, origin=ORIGIN, now=NOW) for patch in patches)
    )
    now = await get_living(store, person.id)
    assert now.version == 4
    assert (now.profile.first_name, now.profile.last_name) == ("Augusta", "King")
    assert now.profile.location_city == "London"


async def test_patch_that_changes_nothing_is_no_event(store: Store) -> None:
    person = await registered(store)
    patch = {"first_name": person.profile.first_name}
    written = await change(store, person.id, patch, rules=RULES, origin=ORIGIN, now=NOW)
    assert written.state == person
    assert await count(store, "events") == 1


async def test_stale_version_is_refused(store: Store) -> None:
    person = await registered(store)
    await change(store, person.id, {"first_name": "Ida"}, rules=RULES, origin=ORIGIN, now=NOW)
    with pytest.raises(VersionMismatchError):
        await delete(store, person.id, origin=ORIGIN, now=NOW, if_match=frozenset({1}))


async def test_changed_address_may_not_be_somebody_elses(store: Store) -> None:
    one, other = await registered(store), await registered(store)
    patch = {"email": other.profile.email}
    with pytest.raises(TakenError):
        await change(store, one.id, patch, rules=RULES, origin=ORIGIN, now=NOW)


async def test_simultaneous_moves_to_one_address_have_one_winner(store: Store) -> None:
    people = [await registered(store) for _ in range(8)]
    patch = {"email": "wanted@example.com"}
    results = await asyncio.gather(
        *(change(store, one.id, patch, rules=RULES, origin=ORIGIN, now=NOW) for one in people),
        return_exceptions=True,
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert sum(isinstance(result, TakenError) for result in results) == 7


async def test_replacement_removes_what_it_leaves_out(store: Store) -> None:
    person = await registered(store, birthday="1990-06-14", location_city="London")
    document = a_document(email=person.profile.email)
    await replace(store, person.id, document, rules=RULES, origin=ORIGIN, now=NOW)
    now = await get_living(store, person.id)
    assert (now.profile.birthday, now.profile.location_city) == (None, None)


@pytest.mark.edge_case("EC-UD-019")
async def test_deleted_person_is_seen_by_nobody(store: Store) -> None:
    person = await registered(store)
    await delete(store, person.id, origin=ORIGIN, now=NOW)
    with pytest.raises(PersonNotFoundError):
        await get_living(store, person.id)
    with pytest.raises(PersonNotFoundError):
        await change(store, person.id, {}, rules=RULES, origin=ORIGIN, now=NOW)
    with pytest.raises(PersonNotFoundError):
        await delete(store, person.id, origin=ORIGIN, now=NOW)


@pytest.mark.edge_case("EC-UD-018", "EC-DB-018")
async def test_address_of_a_deleted_person_is_free(store: Store) -> None:
    """And then the first person cannot come back."""
    person = await registered(store, external_id="7")
    await delete(store, person.id, origin=ORIGIN, now=NOW)
    again = await registered(store, email=person.profile.email, external_id="7")
    assert again.id != person.id
    with pytest.raises(TakenError):
        await restore(store, person.id, retention=RETENTION, origin=ORIGIN, now=NOW)


@pytest.mark.edge_case("EC-UD-017")
async def test_restored_person_is_back(store: Store) -> None:
    person = await registered(store)
    await delete(store, person.id, origin=ORIGIN, now=NOW)
    await restore(store, person.id, retention=RETENTION, origin=ORIGIN, now=NOW + RETENTION)
    now = await get_living(store, person.id)
    assert (now.version, now.profile) == (3, person.profile)
    assert await logged_types(store, person.id) == [USER_REGISTERED, USER_DELETED, USER_RESTORED]


async def test_restoration_after_the_retention_time_is_refused(store: Store) -> None:
    person = await registered(store)
    await delete(store, person.id, origin=ORIGIN, now=NOW)
    later = NOW + RETENTION + timedelta(seconds=1)
    with pytest.raises(RetentionOverError):
        await restore(store, person.id, retention=RETENTION, origin=ORIGIN, now=later)


async def test_every_write_tells_the_whole_person(store: Store) -> None:
    person = await registered(store)
    await change(store, person.id, {"timezone": "Asia/Tokyo"}, rules=RULES, origin=ORIGIN, now=NOW)
    events = await queued_events(store)
    assert [(event.type, event.data.version) for event in events] == [
        (USER_REGISTERED, 1),
        (USER_CHANGED, 2),
    ]
    assert (events[1].data.timezone, events[1].data.schedule_version) == ("Asia/Tokyo", 2)
    assert events[1].data.first_name == "Ada"


async def test_owner_of_the_log_may_only_add_to_it(database_url: str) -> None:
    async with open_pool(database_url, name="test-user", size=1) as pool:
        rows = await pool.fetch(
            "SELECT privilege_type FROM pg_class, aclexplode(relacl) WHERE oid = 'events'::regclass"
        )
    granted = {row["privilege_type"] for row in rows}
    assert {"SELECT", "INSERT"} <= granted
    assert granted.isdisjoint({"UPDATE", "DELETE", "TRUNCATE"})
