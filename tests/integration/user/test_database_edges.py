"""What the database itself refuses, and what is stopped long before it."""

from typing import Any

import asyncpg
import pytest

from services.user.adapters.store import Store
from services.user.app.remove import erase
from tests.integration.user.asking import ORIGIN, count, keyed, registered
from tests.integration.user.conftest import EXPORTER_TOKEN, Client
from tests.support.people import NOW, a_document

INSERT = (
    "INSERT INTO people (person_id, version, schedule_version, status, state, email_key,"
    " birthday_month_day)"
    " VALUES (gen_random_uuid(), $1, $2, $3, $4::text::jsonb, $5, $6)"
)


@pytest.mark.edge_case("EC-DB-015")
async def test_nothing_is_left_that_points_to_an_erased_person(
    client: Client, store: Store
) -> None:
    """Their key and the hashes of their requests go with them; later writes find nobody."""
    person = await registered(store, origin=keyed("key"))
    await erase(store, person.id, origin=ORIGIN, now=NOW)
    assert await count(store, "person_keys") == 0
    hashes = await store.pool.fetch("SELECT request_hash FROM idempotency_keys")
    assert [row["request_hash"] for row in hashes] == [None]
    answer = await client.ask("PATCH", f"/v1/users/{person.id}", {"first_name": "Ida"})
    assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.parametrize(
    ("row", "error"),
    [
        pytest.param(
            (None, 1, "active", "{}", "a@b.cd", None),
            asyncpg.NotNullViolationError,
            id="EC-DB-016 no version",
        ),
        pytest.param(
            (1, 1, "active", "{}", None, None), asyncpg.CheckViolationError, id="no address"
        ),
        pytest.param(
            (1, 1, "active", None, "a@b.cd", None), asyncpg.CheckViolationError, id="no state"
        ),
        pytest.param(
            (1, 2, "active", "{}", "a@b.cd", None),
            asyncpg.CheckViolationError,
            id="EC-DB-017 schedule ahead of the version",
        ),
        pytest.param(
            (1, 1, "active", "{}", "a@b.cd", 1301),
            asyncpg.CheckViolationError,
            id="EC-DB-017 month 13",
        ),
        pytest.param(
            (1, 1, "asleep", "{}", "a@b.cd", None),
            asyncpg.CheckViolationError,
            id="EC-DB-019 unknown status",
        ),
    ],
)
async def test_table_refuses_what_cannot_be(
    store: Store, row: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await store.pool.execute(INSERT, *row)
    assert await count(store, "people") == 0


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        pytest.param("first_name", None, "null", id="EC-DB-016 null"),
        pytest.param("birthday", "1990-13-01", "invalid_date", id="EC-DB-017 month 13"),
        pytest.param("leap_day", "feb30", "invalid_leap_day", id="EC-DB-019 unknown word"),
        pytest.param("opt_outs", ["name_day"], "unknown_kind", id="EC-DB-019 unknown kind"),
    ],
)
async def test_value_is_stopped_before_the_database(
    client: Client, store: Store, field: str, value: Any, code: str
) -> None:
    answer = await client.ask("POST", "/v1/users", a_document(**{field: value}))
    assert answer.status == 422
    assert {found for _, found in answer.faults} == {code}
    assert await count(store, "people") == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/v1/users/7", 404, id="EC-DB-020 number for an id"),
        pytest.param("DELETE", "/user/not-a-uuid", 404, id="EC-DB-020 text for an id"),
        pytest.param("GET", "/v1/users/7/export", 404, id="EC-DB-020 number for an exported id"),
        pytest.param("GET", "/v1/users/export?after=7", 422, id="EC-DB-020 number to go on behind"),
    ],
)
async def test_id_of_another_type_is_refused(
    client: Client, method: str, path: str, status: int
) -> None:
    token = EXPORTER_TOKEN if "export" in path else None
    assert (await client.ask(method, path, token=token)).status == status


@pytest.mark.edge_case("EC-SEC-001", "EC-DV-005", "EC-SEC-005")
async def test_sql_is_plain_text_wherever_it_comes_in(client: Client, store: Store) -> None:
    evil = "x'); DROP TABLE people; --"
    path = (await client.ask("POST", "/v1/users", a_document(external_id=evil))).headers["Location"]
    found = await client.ask("GET", "/v1/users?external_id=x')%3B%20DROP%20TABLE%20people%3B%20--")
    assert [f"/v1/users/{one['id']}" for one in found.json["items"]] == [path]
    operator = await client.ask("PATCH", path, {"first_name": {"$ne": None}})
    assert (operator.status, operator.faults) == (422, {("/first_name", "wrong_type")})
    table = f"first_name,last_name,email,timezone\n{evil},L,a@b.example,UTC\n"
    imported = await client.ask("POST", "/v1/users/import", data=table, Content_Type="text/csv")
    assert imported.lines[0]["status"] == "created"
    assert await count(store, "people") == 2


@pytest.mark.edge_case("EC-SEC-004")
@pytest.mark.parametrize("name", ["../../etc/passwd", "%2e%2e%2fx", "/etc/passwd", "csv/../../x"])
async def test_no_file_is_named_by_a_request(client: Client, name: str) -> None:
    answer = await client.ask("GET", f"/v1/users/export?format={name}", token=EXPORTER_TOKEN)
    assert answer.status == 422
    named = await client.ask("GET", f"/v1/users/export/{name}", token=EXPORTER_TOKEN)
    assert named.status == 404
    whole = await client.ask("GET", "/v1/users/export?format=csv", token=EXPORTER_TOKEN)
    assert whole.headers["Content-Disposition"] == 'attachment; filename="people.csv"'
