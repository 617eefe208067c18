"""People by the thousand: a line in, a line out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from services.user.adapters.store import Store
from tests.integration.user.asking import count, queued_events
from tests.integration.user.conftest import READER_TOKEN, Answer, Client
from tests.support.people import a_document

PATH = "/v1/users/import"
NDJSON = "application/x-ndjson"


async def imported(client: Client, *lines: Any, query: str = "") -> Answer:
    """Return the answer to an import of ``lines``: documents, or raw bytes."""
    texts = [line if isinstance(line, bytes) else msgspec.json.encode(line) for line in lines]
    return await client.ask(
        "POST", f"{PATH}{query}", data=b"\n".join(texts) + b"\n", Content_Type=NDJSON
    )


def codes(answer: Answer) -> list[tuple[int, str, str | None]]:
    """Return line, status and first error code of each outcome."""
    return [
        (one["line"], one["status"], one["errors"][0]["code"] if "errors" in one else None)
        for one in answer.lines
    ]


async def test_bad_lines_harm_no_good_ones(client: Client, store: Store) -> None:
    answer = await imported(
        client,
        a_document(email="one@example.com"),
        b"{",
        b"",
        b'{"first_name":"a","first_name":"b"}',
        b"[1]",
        {"first_name": "Ada"},
        a_document(nick="x"),
        a_document(email="ONE@example.com"),
        a_document(first_name="x" * 70_000),
        b'{"first_name":"\\u0000"}',
        a_document(email="last@example.com"),
    )
    assert (answer.status, answer.headers["Content-Type"]) == (200, NDJSON)
    assert codes(answer) == [
        (1, "created", None),
        (2, "failed", "malformed_json"),
        (3, "failed", "malformed_json"),
        (4, "failed", "duplicate_key"),
        (5, "failed", "wrong_type"),
        (6, "failed", "missing"),
        (7, "failed", "unknown_field"),
        (8, "failed", "email_taken"),
        (9, "failed", "too_long"),
        (10, "failed", "forbidden_character"),
        (11, "created", None),
    ]
    assert await count(store, "people") == 2
    assert len(await queued_events(store)) == 2


async def test_every_line_has_an_outcome_across_batches(client: Client, store: Store) -> None:
    answer = await imported(client, *(a_document() for _ in range(333)))
    assert [one["line"] for one in answer.lines] == list(range(1, 334))
    assert {one["status"] for one in answer.lines} == {"created"}
    assert [await count(store, table) for table in ("people", "events")] == [333, 333]
    assert await count(store, "outbox") == 7


async def test_same_file_again_changes_nothing(client: Client, store: Store) -> None:
    """Resuming is sending again."""
    documents = [a_document(external_id=str(index)) for index in range(3)] + [a_document()]
    first = await imported(client, *documents[:2])
    again = await imported(client, *documents)
    assert [one["status"] for one in again.lines] == ["unchanged"] * 2 + ["created"] * 2
    assert [one["id"] for one in again.lines[:2]] == [one["id"] for one in first.lines]
    assert await count(store, "events") == 4


async def test_other_data_under_a_known_external_id_fail(client: Client) -> None:
    document = a_document(external_id="7")
    await imported(client, document)
    answer = await imported(client, {**document, "first_name": "Ida"})
    assert codes(answer) == [(1, "failed", "email_taken")]
    assert {error["pointer"] for error in answer.lines[0]["errors"]} == {"/email", "/external_id"}


async def test_dry_run_registers_nobody(client: Client, store: Store) -> None:
    there = a_document(external_id="7")
    await imported(client, there)
    answer = await imported(
        client, a_document(), there, {**there, "first_name": "Ida"}, {}, query="?dry_run=true"
    )
    assert [status for _, status, _ in codes(answer)] == ["valid", "unchanged", "failed", "failed"]
    assert await count(store, "people") == 1


async def test_outcomes_come_while_lines_are_still_sent(client: Client) -> None:
    may_go_on = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        for _ in range(70):
            yield msgspec.json.encode(a_document()) + b"\n"
        await may_go_on.wait()
        yield msgspec.json.encode(a_document())

    headers = {"Content-Type": NDJSON, "Authorization": f"Bearer {client.token}"}
    url = f"{client.base_url}{PATH}"
    async with client.session.post(url, data=body(), headers=headers) as response:
        for line in range(1, 71):
            assert msgspec.json.decode(await response.content.readline())["line"] == line
        may_go_on.set()
        assert msgspec.json.decode(await response.content.readline())["line"] == 71
        assert await response.content.readline() == b""


async def test_half_a_line_of_a_lost_client_is_not_taken(client: Client, store: Store) -> None:
    whole, half = msgspec.json.encode(a_document()), msgspec.json.encode(a_document())
    host, port = client.base_url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {client.token}\r\n"
        f"Content-Type: {NDJSON}\r\nContent-Length: 100000\r\n\r\n"
    )
    writer.write(head.encode() + (whole + b"\n") * 50 + half)
    await writer.drain()
    await reader.readuntil(b'"line":50')
    writer.close()
    await writer.wait_closed()
    assert (await client.ask("GET", "/v1/users")).status == 200
    assert await count(store, "people") == 1


async def test_copies_of_one_import_register_everyone_once(client: Client, store: Store) -> None:
    documents = [a_document(external_id=str(index)) for index in range(120)]
    answers = await asyncio.gather(*(imported(client, *documents) for _ in range(3)))
    statuses = [[one["status"] for one in answer.lines] for answer in answers]
    assert {status for one in statuses for status in one} == {"created", "unchanged"}
    assert sum(one.count("created") for one in statuses) == 120
    assert await count(store, "events") == 120


async def test_line_whose_person_changed_since_is_no_conflict(client: Client) -> None:
    """Sending again is safe even where life went on meanwhile."""
    documents = [a_document(external_id="7"), a_document()]
    first = await imported(client, *documents)
    for one in first.lines:
        await client.ask("PATCH", f"/v1/users/{one['id']}", {"email": f"{one['line']}@x.example"})
    for query in ("", "?dry_run=true"):
        again = await imported(client, documents[0], query=query)
        assert [(one["status"], one["id"], one["version"]) for one in again.lines] == [
            ("exists", first.lines[0]["id"], 2)
        ]
    other = await imported(client, {**documents[0], "first_name": "Ida"})
    assert codes(other) == [(1, "failed", "external_id_taken")]


async def test_lines_that_are_done_are_passed_over(client: Client, store: Store) -> None:
    documents = [a_document() for _ in range(120)]
    answer = await imported(client, *documents, query="?from_line=101")
    assert [one["line"] for one in answer.lines] == list(range(101, 121))
    assert await count(store, "people") == 20


async def test_dry_run_finds_what_repeats_within_the_file(client: Client) -> None:
    one = a_document(external_id="7")
    lines = [one, a_document(email=one["email"].upper()), a_document(external_id="7"), a_document()]
    answer = await imported(client, *lines, query="?dry_run=true")
    assert codes(answer) == [
        (1, "valid", None),
        (2, "failed", "email_taken"),
        (3, "failed", "external_id_taken"),
        (4, "valid", None),
    ]
    assert answer.lines[1]["errors"][0]["detail"] == "is the same as on line 1"


async def test_the_first_line_of_an_external_id_gets_it_as_the_dry_run_says(client: Client) -> None:
    lines = [
        a_document(email=f"{name}@example.com", external_id=external_id)
        for name, external_id in (("zoe", "7"), ("adam", "7"), ("zoe", "8"), ("bob", "8"))
    ]
    failures = [(2, "failed", "external_id_taken"), (3, "failed", "email_taken")]
    dry = await imported(client, *lines, query="?dry_run=true")
    assert codes(dry) == [(1, "valid", None), *failures, (4, "valid", None)]
    answer = await imported(client, *lines)
    assert codes(answer) == [(1, "created", None), *failures, (4, "created", None)]


async def test_outcomes_lead_to_occurrences_and_explanations(client: Client) -> None:
    answer = await imported(client, a_document())
    links = answer.headers["Link-Template"]
    assert '"/v1/users/{id}/occurrences"; rel="occurrences"' in links
    assert '"/v1/users/{id}/explain?kind=birthday"; rel="explanation"' in links


@pytest.mark.edge_case("EC-DV-014")
async def test_many_born_on_the_epoch_are_remarked_on(client: Client) -> None:
    answer = await imported(client, *(a_document(birthday="1970-01-01") for _ in range(12)))
    assert {one["status"] for one in answer.lines} == {"created"}
    warned = [one["line"] for one in answer.lines if "warnings" in one]
    assert warned == [11, 12]


async def test_lines_are_answered_while_the_database_is_away(client: Client, store: Store) -> None:
    store.pool.terminate()
    answer = await imported(client, a_document(), b"{")
    assert codes(answer) == [(1, "failed", "unavailable"), (2, "failed", "malformed_json")]


@pytest.mark.parametrize("content_type", ["application/json", "text/csv; charset=latin-1"])
async def test_other_content_type_is_refused(client: Client, content_type: str) -> None:
    answer = await client.ask("POST", PATH, data=b"{}", Content_Type=content_type)
    assert answer.status == 415


async def test_import_needs_the_scope_to_write(client: Client) -> None:
    answer = await client.ask("POST", PATH, data=b"", token=READER_TOKEN, Content_Type=NDJSON)
    assert answer.status == 403


async def test_nothing_in_nothing_out(client: Client) -> None:
    answer = await client.ask("POST", PATH, data=b"", Content_Type=NDJSON)
    assert (answer.status, answer.body) == (200, b"")
