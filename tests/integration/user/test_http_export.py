"""Everybody in one stream, and everything about one person."""

import csv
import io
from datetime import UTC, timedelta
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest

from libs.clock import FrozenClock
from services.user.adapters.store import Store
from services.user.app.change import change
from services.user.app.export import events_of, everybody
from services.user.app.reader import Reader
from services.user.app.remove import delete
from tests.integration.user.asking import ORIGIN, registered
from tests.integration.user.conftest import EXPORTER_TOKEN, WRITER_TOKEN, Answer, Client
from tests.support.people import NOW, RULES, a_document

PATH = "/v1/users/export"
CSV = "text/csv"


async def exported(client: Client, query: str = "", **headers: str) -> Answer:
    """Return the answer to an export of everybody."""
    return await client.ask("GET", f"{PATH}{query}", token=EXPORTER_TOKEN, **headers)


def rows(answer: Answer) -> list[dict[str, str]]:
    """Return the rows of a CSV file by column."""
    return list(csv.DictReader(io.StringIO(answer.body.decode(), newline="")))


async def test_everybody_who_lives_is_exported_once(client: Client, store: Store) -> None:
    people = [await registered(store, birthday="1990-06-14") for _ in range(5)]
    await delete(store, people[2].id, origin=ORIGIN, now=NOW)
    answer = await exported(client)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/x-ndjson")
    living = sorted(str(person.id) for person in people if person is not people[2])
    assert [one["id"] for one in answer.lines] == living
    assert answer.lines[0]["birthday"] == "1990-06-14"


async def test_export_goes_on_behind_the_last_line(client: Client, store: Store) -> None:
    ids = sorted([str((await registered(store)).id) for _ in range(4)])
    answer = await exported(client, f"?after={ids[1]}")
    assert [one["id"] for one in answer.lines] == ids[2:]


@pytest.mark.edge_case("EC-DB-025")
async def test_export_neither_skips_nor_repeats_while_data_change(store: Store) -> None:
    people = [await registered(store) for _ in range(9)]
    met: list[UUID] = []
    async for page in everybody(Reader(store), after=None, page=2):
        met += [person.id for person in page]
        await delete(store, people[len(met) - 1].id, origin=ORIGIN, now=NOW)
        if len(met) < 9:
            people.append(await registered(store))
    throughout = {person.id for person in people[:9]}
    assert len(met) == len(set(met))
    assert throughout <= set(met)


@pytest.mark.parametrize(
    ("query", "headers", "is_csv"),
    [
        pytest.param("", {}, False, id="by default"),
        pytest.param("?format=csv", {}, True, id="asked for in the path"),
        pytest.param("", {"Accept": CSV}, True, id="asked for in the header"),
        pytest.param("?format=ndjson", {"Accept": CSV}, False, id="the path beats the header"),
    ],
)
async def test_format_is_chosen(
    client: Client, query: str, headers: dict[str, str], is_csv: bool
) -> None:
    answer = await exported(client, query, **headers)
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith(CSV) is is_csv
    assert (answer.body != b"") is is_csv


@pytest.mark.edge_case("EC-SEC-003", "EC-DV-006")
async def test_no_cell_is_run_by_a_spreadsheet(client: Client) -> None:
    names = [
        "=cmd|' /C calc'!A0",
        "+1",
        "-1",
        "@SUM(A1)",
        "'t Hooft",
        'a,"b"',
        "<script>x</script>",
    ]
    for name in names:
        await client.ask("POST", "/v1/users", a_document(first_name=name, birthday="--06-14"))
    table = rows(await exported(client, "?format=csv"))
    cells = {row["first_name"] for row in table}
    assert cells == {f"'{name}" for name in names[:4]} | set(names[4:])
    assert {row["birthday"] for row in table} == {"'--06-14"}


async def test_exported_csv_is_imported_as_it_was(client: Client) -> None:
    """The columns nobody sets are passed over, apostrophes are taken away."""
    document = a_document(
        first_name="=1+1",
        last_name='O"Neil, Dr.',
        birthday="--02-29",
        opt_outs=["anniversary", "birthday"],
        external_id=" 42",
        location_city="São Paulo",
    )
    answer = await client.ask("POST", "/v1/users", document)
    table = (await exported(client, "?format=csv")).body
    again = await client.ask("POST", "/v1/users/import", data=table, Content_Type=CSV)
    assert [(one["status"], one["id"]) for one in again.lines] == [("unchanged", answer.json["id"])]


async def test_exported_lines_are_imported_as_they_were(client: Client) -> None:
    await client.ask("POST", "/v1/users", a_document(birthday="1990-06-14"))
    lines = (await exported(client)).body
    again = await client.ask(
        "POST", "/v1/users/import", data=lines, Content_Type="application/x-ndjson"
    )
    assert [one["status"] for one in again.lines] == ["unchanged"]


async def test_export_needs_its_own_scope(client: Client, store: Store) -> None:
    person = await registered(store)
    for path in (PATH, f"/v1/users/{person.id}/export"):
        assert (await client.ask("GET", path, token=WRITER_TOKEN)).status == 403


async def test_export_without_database_is_503(client: Client, store: Store) -> None:
    store.pool.terminate()
    assert (await exported(client)).status == 503


async def test_export_that_breaks_off_is_not_taken_for_whole(client: Client, store: Store) -> None:
    """The connection is cut, so that the client learns that lines are missing."""
    await store.pool.execute(
        "INSERT INTO people (person_id, version, schedule_version, status, state, email_key)"
        " SELECT gen_random_uuid(), 1, 1, 'active', state, n::text FROM generate_series(1, 2500) n,"
        " (SELECT $1::text::jsonb AS state) AS one",
        '{"id":"01890000-0000-7000-8000-000000000000","version":1,"schedule_version":1,'
        '"status":"active","profile":{"first_name":"A","last_name":"B","email":"a@b.cd",'
        '"timezone":"UTC"},"active_since":"2026-06-14T12:00:00Z",'
        '"created_at":"2026-06-14T12:00:00Z","changed_at":"2026-06-14T12:00:00Z"}',
    )
    headers = {"Authorization": f"Bearer {EXPORTER_TOKEN}"}
    async with client.session.get(client.base_url + PATH, headers=headers) as response:
        assert response.status == 200
        await response.content.readline()
        store.pool.terminate()
        with pytest.raises(aiohttp.ClientPayloadError):
            await response.content.read()


async def test_everything_kept_about_a_person_is_told(client: Client, clock: FrozenClock) -> None:
    key = uuid4().hex
    answer = await client.ask("POST", "/v1/users", a_document(), Idempotency_Key=key)
    path = answer.headers["Location"]
    clock.advance(timedelta(hours=1))
    await client.ask("PATCH", path, {"first_name": "Ida"})
    told: Any = (await client.ask("GET", f"{path}/export", token=EXPORTER_TOKEN)).json
    assert (told["status"], told["person"]["profile"]["first_name"]) == ("active", "Ida")
    assert [one["event"]["type"] for one in told["events"]] == [
        "user.registered.v1",
        "user.changed.v1",
    ]
    assert [one["person"]["profile"]["first_name"] for one in told["events"]] == ["Ada", "Ida"]
    assert told["events"][1]["event"]["changed"] == ["first_name"]
    assert [(one["caller"], one["key"]) for one in told["requests"]] == [("writer", key)]
    assert told["links"]["occurrences"] == f"{path}/occurrences"


async def test_deleted_person_can_be_exported_until_erased(client: Client) -> None:
    path = (await client.ask("POST", "/v1/users", a_document())).headers["Location"]
    await client.ask("DELETE", path)
    told = await client.ask("GET", f"{path}/export", token=EXPORTER_TOKEN)
    assert (told.status, told.json["status"], len(told.json["events"])) == (200, "deleted", 2)
    await client.ask("POST", f"{path}/erase")
    gone = await client.ask("GET", f"{path}/export", token=EXPORTER_TOKEN)
    assert (gone.status, gone.code) == (410, "person_erased")
    nobody = await client.ask("GET", f"/v1/users/{uuid4()}/export", token=EXPORTER_TOKEN)
    assert nobody.status == 404


async def test_long_history_is_exported_whole(store: Store) -> None:
    person = await registered(store)
    for number in range(6):
        patch = {"location_city": f"City {number}"}
        await change(store, person.id, patch, rules=RULES, origin=ORIGIN, now=NOW)
    pages = [page async for page in events_of(Reader(store), person.id, upto=7, page=3)]
    assert [one.entry.version for page in pages for one in page] == list(range(1, 8))


class TestAsOf:
    """The state and the history at an instant."""

    async def test_state_is_that_of_the_instant(self, client: Client, clock: FrozenClock) -> None:
        path = (await client.ask("POST", "/v1/users", a_document())).headers["Location"]
        registered_at = clock.now()
        clock.advance(timedelta(days=1))
        await client.ask("PATCH", path, {"first_name": "Ida"})
        clock.advance(timedelta(days=1))
        await client.ask("DELETE", path)
        clock.advance(timedelta(days=1))

        async def seen(at: str) -> tuple[int, Any]:
            answer = await client.ask("GET", f"{path}?as_of={at}")
            return answer.status, answer.json.get("first_name")

        def text(days: float) -> str:
            at = registered_at + timedelta(days=days)
            return at.astimezone(UTC).isoformat().replace("+00:00", "Z")

        assert await seen(text(-0.5)) == (404, None)
        assert await seen(text(0)) == (200, "Ada")
        assert await seen(text(0.5).replace("Z", "%2B00:00")) == (200, "Ada")
        assert await seen(text(1.5)) == (200, "Ida")
        assert await seen(text(2.5)) == (404, None)
        history = (await client.ask("GET", f"{path}/history?as_of={text(1.5)}")).json
        assert [one["version"] for one in history["items"]] == [1, 2]
        await client.ask("POST", f"{path}/erase")
        erased = await client.ask("GET", f"{path}?as_of={text(0.5)}")
        assert (erased.status, erased.code) == (410, "person_erased")

    @pytest.mark.parametrize(
        ("as_of", "code"),
        [
            pytest.param("yesterday", "invalid_instant", id="no instant"),
            pytest.param("2026-06-14", "invalid_instant", id="no time"),
            pytest.param("2026-06-14T09:00:00", "invalid_instant", id="no offset"),
            pytest.param("9999-12-31T23:59:59Z", "instant_in_future", id="future"),
            pytest.param("2026-06-14T12:00:00.000001Z", "instant_in_future", id="a moment ahead"),
        ],
    )
    async def test_bad_instant_is_refused(self, client: Client, as_of: str, code: str) -> None:
        path = (await client.ask("POST", "/v1/users", a_document())).headers["Location"]
        for url in (f"{path}?as_of={as_of}", f"{path}/history?as_of={as_of}"):
            answer = await client.ask("GET", url)
            assert answer.status == 422
            assert answer.faults == {("as_of", code)}

    async def test_first_instant_of_the_calendar_is_no_trouble(self, client: Client) -> None:
        path = (await client.ask("POST", "/v1/users", a_document())).headers["Location"]
        for at in ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00%2B14:00"):
            assert (await client.ask("GET", f"{path}?as_of={at}")).status in {404, 422}
