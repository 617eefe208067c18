"""Lists, searches, histories, and what erasure leaves of them."""

from uuid import UUID

import pytest

from contracts.user_events import USER_CHANGED, USER_ERASED, USER_REGISTERED
from libs.eventstore.sealing import SealError, new_key, unseal
from services.user.adapters.columns import search_columns
from services.user.adapters.events import ShreddedError
from services.user.adapters.reading import Filter, _parameters, _statement_for, get_person_at
from services.user.adapters.store import Store
from services.user.app.change import change
from services.user.app.errors import PersonNotFoundError
from services.user.app.read import get_history, get_living, list_living
from services.user.app.remove import delete, erase
from services.user.domain.person import Person
from services.user.domain.texts import search_key
from tests.integration.user.asking import ORIGIN, count, logged_types, queued_events, registered
from tests.support.people import NOW, RULES


async def ids_of(store: Store, wanted: Filter, *, limit: int = 100) -> list[UUID]:
    """Return the ids on the first page."""
    page = await list_living(store, wanted, after=None, limit=limit)
    return [person.id for person in page.people]


async def test_pages_neither_skip_nor_repeat_while_data_change(store: Store) -> None:
    people = [await registered(store, first_name=f"P{index}") for index in range(9)]
    met: list[UUID] = []
    after = None
    while True:
        page = await list_living(store, Filter(), after=after, limit=2)
        met += [person.id for person in page.people]
        if page.next_after is None:
            break
        after = page.next_after
        rename = {"first_name": f"Z{len(met)}"}
        await change(store, people[0].id, rename, rules=RULES, origin=ORIGIN, now=NOW)
        await change(store, people[-1].id, rename, rules=RULES, origin=ORIGIN, now=NOW)
        if people[len(met) - 1].id != people[0].id:
            await delete(store, people[len(met) - 1].id, origin=ORIGIN, now=NOW)
    assert met == [person.id for person in people]


async def test_people_are_found_by_each_filter(store: Store) -> None:
    ada = await registered(
        store,
        first_name="Ada",
        last_name="Ünal",
        external_id="7",
        timezone="Asia/Tokyo",
        birthday="--02-29",
    )
    await registered(store, first_name="Bob", last_name="Stone")
    filters = {
        "e-mail": Filter(email_key=search_columns(ada.profile).email_key),
        "external id": Filter(external_id="7"),
        "first name": Filter(name_prefix=search_key("aD")),
        "whole name": Filter(name_prefix=search_key("Ada Ü")),
        "last name": Filter(name_prefix=search_key("ÜN")),
        "birthday": Filter(birthday_month_day=229),
        "zone": Filter(timezone="Asia/Tokyo"),
        "several": Filter(name_prefix="ada", timezone="Asia/Tokyo", birthday_month_day=229),
    }
    found = {name: await ids_of(store, wanted) for name, wanted in filters.items()}
    assert found == {name: [ada.id] for name in filters}
    assert await ids_of(store, Filter(name_prefix="ada", timezone="Europe/Paris")) == []


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        pytest.param(Filter(email_key="p7@example.com"), "people_email_idx", id="e-mail"),
        pytest.param(Filter(external_id="x7"), "people_external_id_idx", id="external id"),
        pytest.param(Filter(name_prefix="p77"), "people_name_idx", id="name"),
        pytest.param(Filter(birthday_month_day=614), "people_birthday_idx", id="birthday"),
        pytest.param(Filter(timezone="Asia/Tokyo"), "people_timezone_idx", id="zone"),
    ],
)
async def test_search_reads_its_index(store: Store, wanted: Filter, index: str) -> None:
    """Also as a generic plan, which knows no values."""
    async with store.pool.acquire() as connection:
        await connection.execute(
            "INSERT INTO people (person_id, version, schedule_version, status, state, email_key,"
            " external_id, name_key, family_name_key, birthday_month_day, timezone)"
            " SELECT gen_random_uuid(), 1, 1, 'active', '{}', 'p' || n || '@example.com',"
            " 'x' || n, 'p' || n, 'q' || n, 101 + n % 12 * 100 + n % 27, 'Zone/' || n % 300"
            " FROM generate_series(1, 20000) AS n"
        )
        await connection.execute("ANALYZE people")
        await connection.execute("SET plan_cache_mode = force_generic_plan")
        explained = await connection.fetch(
            "EXPLAIN " + _statement_for(wanted), UUID(int=0), 100, *_parameters(wanted)
        )
        await connection.execute("RESET plan_cache_mode")
    plan = "\n".join(row[0] for row in explained)
    assert index in plan, plan


async def test_history_names_changed_fields(store: Store) -> None:
    person = await registered(store)
    patch = {"first_name": "Ida", "timezone": "Asia/Tokyo"}
    await change(store, person.id, patch, rules=RULES, origin=ORIGIN, now=NOW)
    history = await get_history(store, person.id, after_version=0, limit=10)
    assert [(entry.version, entry.type) for entry in history.entries] == [
        (1, USER_REGISTERED),
        (2, USER_CHANGED),
    ]
    assert history.entries[1].changed == ("first_name", "timezone")
    assert history.entries[1].caller == "tests"
    first = await get_history(store, person.id, after_version=0, limit=1)
    assert (len(first.entries), first.next_after) == (1, 1)


async def test_every_version_can_be_read(store: Store) -> None:
    person = await registered(store)
    await change(store, person.id, {"first_name": "Ida"}, rules=RULES, origin=ORIGIN, now=NOW)
    assert await get_person_at(store, person.id, version=1) == person


@pytest.mark.edge_case("EC-UD-020")
async def test_erased_person_is_unreadable(store: Store) -> None:
    """The events stay, what they said is gone."""
    person = await registered(store, first_name="Unforgettable", external_id="7")
    await change(store, person.id, {"last_name": "Secret"}, rules=RULES, origin=ORIGIN, now=NOW)
    await erase(store, person.id, origin=ORIGIN, now=NOW)
    assert await logged_types(store, person.id) == [USER_REGISTERED, USER_CHANGED, USER_ERASED]
    with pytest.raises(ShreddedError):
        await get_person_at(store, person.id, version=1)
    with pytest.raises(PersonNotFoundError):
        await get_living(store, person.id)
    assert await count(store, "person_keys") == 0
    assert await ids_of(store, Filter(external_id="7")) == []
    (*_, told) = await queued_events(store)
    assert (told.type, told.data.version, told.data.schedule_version) == (USER_ERASED, 3, 3)


async def test_history_of_an_erased_person_tells_types_only(store: Store) -> None:
    person = await registered(store)
    await erase(store, person.id, origin=ORIGIN, now=NOW)
    history = await get_history(store, person.id, after_version=0, limit=10)
    assert [(entry.type, entry.changed, entry.caller) for entry in history.entries] == [
        (USER_REGISTERED, (), None),
        (USER_ERASED, (), None),
    ]


async def test_log_holds_no_personal_data_in_the_open(store: Store) -> None:
    person = await registered(store, first_name="Unforgettable")
    row = await store.pool.fetchrow("SELECT data, metadata::text FROM events")
    assert row is not None
    assert b"Unforgettable" not in row["data"]
    assert "Unforgettable" not in row["metadata"]
    with pytest.raises(SealError):
        unseal(new_key(), row["data"], aad=person.id.bytes + b"\0\0\0\1")


async def test_event_cannot_be_moved_to_another_place(store: Store) -> None:
    """A row copied over another one does not open there."""
    one, other = await registered(store), await registered(store)
    await store.pool.execute("GRANT UPDATE ON events TO CURRENT_USER")
    await store.pool.execute(
        "UPDATE events SET data = source.data FROM events AS source"
        " WHERE events.stream_id = $1 AND source.stream_id = $2",
        one.id,
        other.id,
    )
    with pytest.raises(SealError):
        await get_person_at(store, one.id, version=1)


async def test_stored_state_is_the_fold_of_the_log(store: Store) -> None:
    person = await registered(store, birthday="1990-06-14")
    await change(store, person.id, {"birthday": "--06-15"}, rules=RULES, origin=ORIGIN, now=NOW)
    now = await get_living(store, person.id)
    logged = await get_person_at(store, person.id, version=now.version)
    assert isinstance(logged, Person)
    assert logged == now
