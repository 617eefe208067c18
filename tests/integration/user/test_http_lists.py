"""Lists, searches and histories over HTTP."""

from typing import Any
from uuid import UUID

import msgspec
import pytest

from libs.httpapi.pagination import encode_cursor
from services.user.entrypoints.search_routes import AfterPerson, AfterVersion
from tests.integration.user.conftest import Client
from tests.support.people import a_document


async def registered(client: Client, **fields: Any) -> str:
    """Return the id of a person just registered."""
    answer = await client.ask("POST", "/v1/users", a_document(**fields))
    assert answer.status == 201, answer.body
    return str(answer.json["id"])


@pytest.mark.edge_case("EC-DB-025")
async def test_pages_lead_through_everyone_once(client: Client) -> None:
    ids = [await registered(client) for _ in range(5)]
    met: list[str] = []
    query = "?limit=2"
    while True:
        page = (await client.ask("GET", f"/v1/users{query}")).json
        met += [person["id"] for person in page["items"]]
        if page["next"] is None:
            break
        await client.ask("PATCH", f"/v1/users/{ids[0]}", {"first_name": f"Z{len(met)}"})
        query = f"?limit=2&cursor={page['next']}"
    assert met == ids


@pytest.mark.parametrize(
    ("query", "is_found"),
    [
        pytest.param("email=ADA@example.com", True, id="e-mail"),
        pytest.param("external_id=7", True, id="external id"),
        pytest.param("name=lov", True, id="last name"),
        pytest.param("name=ada%20l", True, id="whole name"),
        pytest.param("name=ovelace", False, id="inside of a name"),
        pytest.param("birthday=06-14", True, id="birthday"),
        pytest.param("birthday=--06-14", True, id="birthday, dashed"),
        pytest.param("birthday=06-15", False, id="other birthday"),
        pytest.param("timezone=europe/london", True, id="zone"),
        pytest.param("name=ada&birthday=06-15", False, id="both must hold"),
        pytest.param("name=%25", False, id="EC-SEC-001 wildcard is plain text"),
    ],
)
async def test_search_finds(client: Client, query: str, is_found: bool) -> None:
    person = await registered(
        client, email="ada@example.com", external_id="7", birthday="1990-06-14"
    )
    await registered(client, first_name="Bob", last_name="Stone", timezone="Asia/Tokyo")
    answer = await client.ask("GET", f"/v1/users?{query}")
    assert [one["id"] for one in answer.json["items"]] == ([person] if is_found else [])


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("limit=0", 422, id="no items"),
        pytest.param("limit=-1", 422, id="negative"),
        pytest.param("limit=10001", 422, id="too many"),
        pytest.param("limit=x", 422, id="no number"),
        pytest.param("cursor=xyz", 400, id="cursor tampered with"),
        pytest.param("email=ada", 422, id="no address"),
        pytest.param("birthday=13-01", 422, id="no such day"),
        pytest.param("birthday=1990-06-14", 422, id="with a year"),
        pytest.param("timezone=EST5", 422, id="no zone"),
        pytest.param("name=", 422, id="empty prefix"),
        pytest.param("name=%00", 400, id="EC-DV-004 NUL"),
        pytest.param("external_id=%0A", 422, id="control character"),
    ],
)
async def test_bad_query_is_refused(client: Client, query: str, status: int) -> None:
    answer = await client.ask("GET", f"/v1/users?{query}")
    assert answer.status == status
    assert answer.code in {"validation_failed", "bad_cursor", "bad_request"}


@pytest.mark.parametrize(
    "position",
    [
        pytest.param(AfterVersion(2**70), id="beyond any version"),
        pytest.param(AfterVersion(-1), id="before any version"),
        pytest.param(AfterPerson(UUID(int=7)), id="of another list"),
    ],
)
async def test_forged_cursor_is_refused(client: Client, position: msgspec.Struct) -> None:
    person = await registered(client)
    cursor = encode_cursor(position, scope=f"history {person}")
    answer = await client.ask("GET", f"/v1/users/{person}/history?cursor={cursor}")
    assert (answer.status, answer.code) == (400, "bad_cursor")


@pytest.mark.parametrize("raw", ["%ff", "%ed%a0%80", "%f0%9f", "%E2%80%AE", "%80%80"])
@pytest.mark.parametrize("name", ["email", "external_id", "name", "birthday", "timezone", "cursor"])
async def test_bytes_that_are_no_text_are_no_trouble(client: Client, name: str, raw: str) -> None:
    for value in (raw, f"ada@{raw}.com", f"a{raw}"):
        answer = await client.ask("GET", f"/v1/users?{name}={value}")
        assert answer.status in {200, 400, 422}


async def test_cursor_belongs_to_its_filters(client: Client) -> None:
    for _ in range(2):
        await registered(client)
    cursor = (await client.ask("GET", "/v1/users?limit=1")).json["next"]
    answer = await client.ask("GET", f"/v1/users?limit=1&name=ada&cursor={cursor}")
    assert (answer.status, answer.code) == (400, "bad_cursor")


async def test_history_is_paged(client: Client) -> None:
    person = await registered(client)
    for name in ("Ida", "Eve"):
        await client.ask("PATCH", f"/v1/users/{person}", {"first_name": name})
    first = (await client.ask("GET", f"/v1/users/{person}/history?limit=2")).json
    rest = await client.ask("GET", f"/v1/users/{person}/history?limit=2&cursor={first['next']}")
    told = [*first["items"], *rest.json["items"]]
    assert [one["version"] for one in told] == [1, 2, 3]
    assert told[2]["changed"] == ["first_name"]
    assert told[2]["caller"] == "writer"
    assert rest.json["next"] is None


async def test_history_of_nobody_is_not_found(client: Client) -> None:
    answer = await client.ask("GET", f"/v1/users/{'0' * 8}-0000-7000-8000-{'0' * 12}/history")
    assert answer.status == 404
