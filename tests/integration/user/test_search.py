"""Searches: combined, while data change, and by index among more than a hundred thousand people."""

import random
from collections.abc import Awaitable, Callable, Iterable
from typing import Any
from uuid import UUID

import pytest

from libs.ids import new_id
from libs.postgres.types import Connection
from services.user.adapters.reading import Filter, _parameters, _statement_for
from services.user.adapters.sql import SQL
from services.user.adapters.store import Store
from services.user.app.change import change
from services.user.app.read import list_living
from services.user.app.remove import delete, restore
from services.user.domain.person import Person
from tests.integration.user.asking import ORIGIN, registered
from tests.integration.user.conftest import Client
from tests.integration.user.test_retention import RETENTION
from tests.support.depth import deeper
from tests.support.people import NOW, RULES, a_document

MATCHING = {"last_name": "Stone", "timezone": "Asia/Tokyo", "birthday": "1990-06-14"}
OTHER = {"last_name": "Brook", "timezone": "Europe/Paris", "birthday": "1990-06-15"}
FILTERS = [
    pytest.param(Filter(), id="everybody"),
    pytest.param(Filter(name_prefix="sto"), id="name"),
    pytest.param(Filter(birthday_month_day=614), id="birthday"),
    pytest.param(Filter(timezone="Asia/Tokyo"), id="zone"),
    pytest.param(
        Filter(name_prefix="sto", birthday_month_day=614, timezone="Asia/Tokyo"), id="all three"
    ),
]


class Town:
    """People who come, go, move and come back while somebody walks the pages."""

    def __init__(self, store: Store, seed: int) -> None:
        self._store = store
        self._random = random.Random(seed)
        self.living: dict[UUID, dict[str, Any]] = {}
        self.deleted: set[UUID] = set()

    async def arrive(self) -> None:
        """Register somebody who matches or does not."""
        fields: dict[str, Any] = self._random.choice([MATCHING, OTHER])
        person = await registered(self._store, **fields)
        self.living[person.id] = fields

    async def turn(self) -> None:
        """Turn somebody who matches into one who does not, or the other way round."""
        person = self._anybody(self.living)
        fields = OTHER if self.living[person] is MATCHING else MATCHING
        await change(self._store, person, fields, rules=RULES, origin=ORIGIN, now=NOW)
        self.living[person] = fields

    async def leave(self) -> None:
        """Delete somebody."""
        person = self._anybody(self.living)
        await delete(self._store, person, origin=ORIGIN, now=NOW)
        del self.living[person]
        self.deleted.add(person)

    async def come_back(self) -> None:
        """Restore somebody."""
        if self.deleted:
            person = self._anybody(self.deleted)
            back = await restore(self._store, person, retention=RETENTION, origin=ORIGIN, now=NOW)
            assert isinstance(back.state, Person)
            is_matching = back.state.profile.last_name == MATCHING["last_name"]
            self.living[person] = MATCHING if is_matching else OTHER
            self.deleted.remove(person)

    async def live(self) -> None:
        """Let one of these things happen."""
        steps: list[Callable[[], Awaitable[None]]] = [
            self.arrive,
            self.turn,
            self.leave,
            self.come_back,
        ]
        await self._random.choice(steps)()

    def matching(self, wanted: Filter) -> set[UUID]:
        """Return who should be found now."""
        is_anybody = wanted == Filter()
        return {one for one, fields in self.living.items() if is_anybody or fields is MATCHING}

    def _anybody(self, people: Iterable[UUID]) -> UUID:
        return self._random.choice(sorted(people))


@pytest.mark.edge_case("EC-UD-019")
@pytest.mark.parametrize("wanted", FILTERS)
async def test_pages_neither_skip_nor_repeat_while_people_come_and_go(
    store: Store, wanted: Filter
) -> None:
    for seed in range(deeper(2, 40)):
        await store.pool.execute("TRUNCATE events, people, person_keys, outbox")
        town = Town(store, seed)
        for _ in range(24):
            await town.arrive()
        throughout = town.matching(wanted)
        met: list[UUID] = []
        after = None
        while True:
            page = await list_living(store, wanted, after=after, limit=3)
            found = [person.id for person in page.people]
            # What is on a page lives and matches as of its read.
            assert set(found) <= town.matching(wanted)
            met += found
            if page.next_after is None:
                break
            after = page.next_after
            for _ in range(3):
                await town.live()
                throughout &= town.matching(wanted)
        assert len(met) == len(set(met))
        assert throughout <= set(met)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        pytest.param("name=ada", {"Ada"}, id="first name"),
        pytest.param("name=ADA", {"Ada"}, id="first name, other case"),
        pytest.param("name=b", {"Bob", "Eve"}, id="first name of one, last name of the other"),
        pytest.param("name=stra%C3%9Fe", {"Ida"}, id="sharp s"),
        pytest.param("name=STRASSE", {"Ida"}, id="sharp s, in capitals"),
        pytest.param("name=zoe%CC%88", {"Zoë"}, id="decomposed accent"),
        pytest.param("name=%EF%BC%A1da", {"Ada"}, id="wide letters"),
        pytest.param("birthday=02-29", {"Ida", "Zoë"}, id="leap day with and without a year"),
        pytest.param("birthday=02-29&timezone=asia/tokyo", {"Zoë"}, id="birthday and zone"),
        pytest.param("name=b&timezone=Europe/Paris", {"Bob"}, id="name and zone"),
        pytest.param("external_id=7&name=eve", {"Eve"}, id="external id and name"),
        pytest.param("external_id=7&name=ada", set(), id="external id of somebody else"),
        pytest.param("email=EVE@x.example&birthday=02-29", set(), id="e-mail, other birthday"),
    ],
)
async def test_filters_narrow_together(client: Client, query: str, found: set[str]) -> None:
    people: list[dict[str, str]] = [
        {"first_name": "Ada", "last_name": "Love"},
        {"first_name": "Bob", "last_name": "Stone", "timezone": "Europe/Paris"},
        {"first_name": "Eve", "last_name": "Brook", "external_id": "7", "email": "eve@x.example"},
        {"first_name": "Ida", "last_name": "Straße", "birthday": "1992-02-29"},
        {"first_name": "Zoë", "last_name": "Moss", "birthday": "--02-29", "timezone": "Asia/Tokyo"},
    ]
    for fields in people:
        assert (await client.ask("POST", "/v1/users", a_document(**fields))).status == 201
    answer = await client.ask("GET", f"/v1/users?{query}")
    assert {one["first_name"] for one in answer.json["items"]} == found


PEOPLE = 120_000
SEARCHES = [
    (Filter(email_key="p7@example.com"), {"people_email_idx"}),
    (Filter(external_id="x7"), {"people_external_id_idx"}),
    (Filter(birthday_month_day=614), {"people_birthday_idx"}),
    (Filter(timezone="Zone/7"), {"people_timezone_idx"}),
    (
        Filter(birthday_month_day=614, timezone="Zone/7"),
        {"people_birthday_idx", "people_timezone_idx"},
    ),
    (Filter(), {"people_pkey"}),
]
BY_NAME = Filter(name_prefix="p7777")


async def _crowd(connection: Connection) -> None:
    await connection.execute(
        "INSERT INTO people (person_id, version, schedule_version, status, state, email_key,"
        " external_id, name_key, family_name_key, birthday_month_day, timezone)"
        " SELECT gen_random_uuid(), 1, 1, 'active', '{}', 'p' || n || '@example.com',"
        " 'x' || n, 'p' || n, 'q' || n, 101 + n % 12 * 100 + n % 27, 'Zone/' || n % 300"
        " FROM generate_series(1, $1::integer) AS n",
        PEOPLE,
    )


async def _explained(connection: Connection, wanted: Filter) -> str:
    statement = _statement_for(wanted)
    filters = () if statement == SQL.list_people else _parameters(wanted)
    rows = await connection.fetch(f"EXPLAIN {statement}", new_id(), 51, *filters)
    return "\n".join(row[0] for row in rows)


@pytest.mark.parametrize("is_analysed", [False, True], ids=["never analysed", "analysed"])
@pytest.mark.edge_case("EC-PF-006")
async def test_every_search_reads_its_index_among_many(store: Store, is_analysed: bool) -> None:
    """Whether a plan knows the values or not; a name is always planned for its own."""
    async with store.pool.acquire() as connection:
        await _crowd(connection)
        if is_analysed:
            await connection.execute("ANALYZE people")
        for mode in ("force_generic_plan", "force_custom_plan"):
            await connection.execute(f"SET plan_cache_mode = {mode}")
            for wanted, indexes in SEARCHES:
                plan = await _explained(connection, wanted)
                assert "Seq Scan" not in plan, plan
                assert any(index in plan for index in indexes), plan
        plan = await _explained(connection, BY_NAME)
        assert "Seq Scan" not in plan, plan
        if is_analysed:
            assert "people_name_idx" in plan, plan
            assert "people_family_name_idx" in plan, plan
        await connection.execute("RESET plan_cache_mode")
        rows = await connection.fetch(f"EXPLAIN {SQL.match_people}", ["a@b.cd"], ["x7"])
        assert "Seq Scan" not in "\n".join(row[0] for row in rows)
