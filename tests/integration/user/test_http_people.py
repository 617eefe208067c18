"""One person over HTTP."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from libs.clock import FrozenClock
from services.user.adapters.store import Store
from tests.integration.user.asking import count, queued_events
from tests.integration.user.conftest import OTHER_TOKEN, READER_TOKEN, Answer, Client
from tests.support.people import a_document

PATHS = [pytest.param("/v1/users", id="v1"), pytest.param("/user", id="assignment")]


async def created(client: Client, **fields: object) -> Answer:
    """Return the answer to a registration that succeeds."""
    answer = await client.ask("POST", "/v1/users", a_document(**fields))
    assert answer.status == 201, answer.body
    return answer


async def registered_path(client: Client, **fields: object) -> str:
    """Return the path of a person just registered."""
    return (await created(client, **fields)).headers["Location"]


@pytest.mark.parametrize("base", PATHS)
async def test_person_is_registered_replaced_and_deleted(client: Client, base: str) -> None:
    document = a_document(birthday="1990-06-14", timezone="europe/london")
    answer = await client.ask("POST", base, document)
    assert (answer.status, answer.headers["ETag"], answer.json["version"]) == (201, '"1"', 1)
    path = answer.headers["Location"]
    person_id = answer.json["id"]
    assert path == f"/v1/users/{person_id}"
    assert answer.json["timezone"] == "Europe/London"
    assert answer.json["links"]["occurrences"] == f"{path}/occurrences"
    assert answer.json["links"]["explanation"] == f"{path}/explain?kind=birthday"
    replaced = await client.ask("PUT", f"{base}/{person_id}", {**document, "first_name": "Ida"})
    assert (replaced.status, replaced.json["first_name"], replaced.json["version"]) == (
        200,
        "Ida",
        2,
    )
    assert (await client.ask("GET", path)).json == replaced.json
    deleted = await client.ask("DELETE", f"{base}/{person_id}")
    assert (deleted.status, deleted.body, deleted.headers["ETag"]) == (204, b"", '"3"')
    assert f"<{path}/occurrences>" in deleted.headers["Link"]
    assert (await client.ask("GET", path)).status == 404


@pytest.mark.edge_case("EC-TZ-008")
async def test_alias_of_a_zone_is_kept_and_shown_with_the_zone_behind_it(client: Client) -> None:
    answer = await created(client, timezone="us/eastern")
    shown = (answer.json["timezone"], answer.json["canonical_timezone"])
    assert shown == ("US/Eastern", "America/New_York")
    listed = await client.ask("GET", "/v1/users?timezone=US/Eastern")
    assert answer.json["id"] in {person["id"] for person in listed.json["items"]}


async def test_patch_merges(client: Client) -> None:
    path = await registered_path(client, location_city="London", birthday="1990-06-14")
    answer = await client.ask(
        "PATCH",
        path,
        {"location_city": None, "timezone": "asia/tokyo"},
        Content_Type="application/merge-patch+json",
    )
    assert answer.status == 200
    assert (answer.json["location_city"], answer.json["timezone"]) == (None, "Asia/Tokyo")
    assert (answer.json["birthday"], answer.headers["ETag"]) == ("1990-06-14", '"2"')


async def test_patch_that_changes_nothing_keeps_the_version(client: Client) -> None:
    path = await registered_path(client)
    answer = await client.ask("PATCH", path, {"first_name": "Ada"})
    assert (answer.status, answer.headers["ETag"]) == (200, '"1"')


async def test_deleted_person_is_restored_within_the_retention_time(
    client: Client, clock: FrozenClock
) -> None:
    path = await registered_path(client)
    await client.ask("DELETE", path)
    clock.advance(timedelta(days=29))
    restored = await client.ask("POST", f"{path}/restore")
    assert (restored.status, restored.json["version"]) == (200, 3)
    await client.ask("DELETE", path)
    clock.advance(timedelta(days=31))
    late = await client.ask("POST", f"{path}/restore")
    assert (late.status, late.code) == (410, "retention_over")


async def test_erased_person_is_gone(client: Client) -> None:
    path = await registered_path(client)
    erased = await client.ask("POST", f"{path}/erase")
    assert (erased.status, erased.json["status"], erased.json["version"]) == (200, "erased", 2)
    for method, url in (
        ("GET", path),
        ("PATCH", path),
        ("DELETE", path),
        ("POST", f"{path}/erase"),
    ):
        document: dict[str, str] | None = {} if method == "PATCH" else None
        assert (await client.ask(method, url, document)).status == 404
    history = await client.ask("GET", f"{path}/history")
    assert [(one["type"], one["changed"]) for one in history.json["items"]] == [
        ("user.registered.v1", []),
        ("user.erased.v1", []),
    ]


async def test_who_was_erased_is_not_restored_and_it_is_said_why(client: Client) -> None:
    path = await registered_path(client)
    await client.ask("POST", f"{path}/erase")
    late = await client.ask("POST", f"{path}/restore")
    assert (late.status, late.code) == (410, "person_erased")
    assert late.headers["content-type"] == "application/problem+json"
    strange = await client.ask("POST", f"/v1/users/{uuid4()}/restore")
    assert (strange.status, strange.code) == (404, "not_found")


async def test_every_fault_has_its_pointer(client: Client) -> None:
    document = {"first_name": "", "email": "ada", "birthday": "2023-02-29", "nick": 1}
    answer = await client.ask("POST", "/v1/users", document)
    assert (answer.status, answer.code) == (422, "validation_failed")
    assert answer.faults == {
        ("/first_name", "blank"),
        ("/email", "invalid_email"),
        ("/birthday", "invalid_date"),
        ("/nick", "unknown_field"),
        ("/last_name", "missing"),
        ("/timezone", "missing"),
    }
    assert b"2023-02-29" not in answer.body


BAD_BODIES = [
    ("no JSON", b"{", 400, "malformed_json"),
    ("nothing", b"", 400, "malformed_json"),
    ("EC-DV-012 NaN", b'{"first_name":NaN}', 400, "malformed_json"),
    ("lone surrogate", b'{"first_name":"\\ud800"}', 400, "malformed_json"),
    ("byte order mark", b"\xef\xbb\xbf{}", 400, "malformed_json"),
    ("no UTF-8", b'{"first_name":"\xff"}', 400, "malformed_json"),
    ("too deep", b"[" * 50 + b"]" * 50, 400, "malformed_json"),
    ("name twice", b'{"first_name":"a","first_name":"b"}', 400, "duplicate_key"),
    ("EC-DV-011 great number", b'{"first_name":123456789012345678901}', 422, "validation_failed"),
    ("EC-DV-004 NUL", b'{"first_name":"\\u0000"}', 422, "validation_failed"),
    ("no object", b"[]", 422, "validation_failed"),
    ("text", b'"x"', 422, "validation_failed"),
    ("EC-SEC-011 too large", b'{"first_name":"' + b"x" * 70_000 + b'"}', 413, "body_too_large"),
]


@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES]
)
async def test_bad_body_is_refused(client: Client, body: bytes, status: int, code: str) -> None:
    path = await registered_path(client)
    for method, url in (("POST", "/v1/users"), ("PUT", path), ("PATCH", path)):
        answer = await client.ask(method, url, data=body, Content_Type="application/json")
        assert (answer.status, answer.code) == (status, code)


async def test_other_content_type_is_refused(client: Client) -> None:
    answer = await client.ask("POST", "/v1/users", data=b"{}", Content_Type="text/plain")
    assert (answer.status, answer.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("person_id", ["7", "x" * 40, "../7", str(uuid4())])
async def test_unknown_id_is_not_found(client: Client, person_id: str) -> None:
    for method in ("GET", "PUT", "PATCH", "DELETE"):
        document = a_document() if method in {"PUT", "PATCH"} else None
        answer = await client.ask(method, f"/v1/users/{person_id}", document)
        assert (answer.status, answer.code) == (404, "not_found")


@pytest.mark.edge_case("EC-UD-014")
async def test_taken_address_is_a_conflict(client: Client) -> None:
    email = (await created(client, external_id="7")).json["email"]
    again = await client.ask("POST", "/v1/users", a_document(email=email.upper(), external_id="7"))
    assert (again.status, again.code) == (409, "email_taken")
    assert again.faults == {("/email", "email_taken"), ("/external_id", "external_id_taken")}


async def test_scopes_are_asked_for(client: Client) -> None:
    """EC-SEC-006, EC-SEC-007, EC-SEC-009."""
    path = await registered_path(client)
    assert (await client.ask("GET", path, token=READER_TOKEN)).status == 200
    assert (await client.ask("DELETE", path, token=READER_TOKEN)).status == 403
    assert (await client.ask("GET", path, token="reader.wrong")).status == 401
    assert (await client.ask("GET", path, Authorization="")).status == 401


async def test_stale_if_match_is_refused(client: Client) -> None:
    path = await registered_path(client)
    first = await client.ask("PATCH", path, {"first_name": "Ida"}, If_Match='"1"')
    assert first.status == 200
    for method, url, document in (
        ("PATCH", path, {"first_name": "Eve"}),
        ("PUT", path, a_document()),
        ("DELETE", path, None),
        ("POST", f"{path}/erase", None),
    ):
        answer = await client.ask(method, url, document, If_Match='"1"')
        assert (answer.status, answer.code, answer.json["version"]) == (412, "version_mismatch", 2)
    for tag in ("abc", "", '"' + "9" * 5000 + '"', '"-2"', '"²"'):
        assert (await client.ask("DELETE", path, If_Match=tag)).status == 412
    assert (await client.ask("DELETE", path, If_Match='"1", W/"2"')).status == 204


async def test_seen_version_is_not_sent_again(client: Client) -> None:
    path = await registered_path(client)
    assert (await client.ask("GET", path, If_None_Match='"1"')).status == 304
    assert (await client.ask("GET", path, If_None_Match='"2"')).status == 200


async def test_same_key_and_body_give_the_same_answer(client: Client, store: Store) -> None:
    document, key = a_document(), uuid4().hex
    first = await client.ask("POST", "/v1/users", document, Idempotency_Key=key)
    again = await client.ask("POST", "/v1/users", document, Idempotency_Key=key)
    assert (again.status, again.body) == (201, first.body)
    assert [again.headers[name] for name in ("ETag", "Location")] == [
        first.headers[name] for name in ("ETag", "Location")
    ]
    assert await count(store, "events") == 1


async def test_every_write_honours_the_key(client: Client, store: Store) -> None:
    path = await registered_path(client)
    document = a_document()
    writes = (
        ("PATCH", path, {"first_name": "Ida"}),
        ("PUT", path, document),
        ("DELETE", path, None),
        ("POST", f"{path}/restore", None),
        ("POST", f"{path}/erase", None),
    )
    for method, url, body in writes:
        key = uuid4().hex
        first = await client.ask(method, url, body, Idempotency_Key=key)
        events = await count(store, "events")
        again = await client.ask(method, url, body, Idempotency_Key=key)
        assert (again.status, again.body) == (first.status, first.body)
        assert again.headers["ETag"] == first.headers["ETag"]
        assert await count(store, "events") == events


async def test_key_of_another_request_is_refused(client: Client) -> None:
    key = uuid4().hex
    await client.ask("POST", "/v1/users", a_document(), Idempotency_Key=key)
    answer = await client.ask("POST", "/v1/users", a_document(), Idempotency_Key=key)
    assert (answer.status, answer.code) == (422, "idempotency_key_reused")
    other = await client.ask(
        "POST", "/v1/users", a_document(), token=OTHER_TOKEN, Idempotency_Key=key
    )
    assert other.status == 201


async def test_answer_about_an_erased_person_is_gone(client: Client) -> None:
    document, key = a_document(), uuid4().hex
    first = await client.ask("POST", "/v1/users", document, Idempotency_Key=key)
    await client.ask("POST", f"{first.headers['Location']}/erase")
    answer = await client.ask("POST", "/v1/users", document, Idempotency_Key=key)
    assert (answer.status, answer.code) == (410, "person_erased")


async def test_malformed_key_is_refused(client: Client) -> None:
    answer = await client.ask("POST", "/v1/users", a_document(), Idempotency_Key="x" * 256)
    assert (answer.status, answer.code) == (400, "bad_idempotency_key")


async def test_trace_of_the_request_reaches_the_event(client: Client, store: Store) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    parent = f"00-{trace}-b7ad6b7169203331-01"
    await client.ask("POST", "/v1/users", a_document(), traceparent=parent)
    (event,) = await queued_events(store)
    assert event.traceparent is not None
    assert event.traceparent.split("-")[1] == trace


async def test_simultaneous_requests_of_one_key_register_once(client: Client, store: Store) -> None:
    document, key = a_document(), uuid4().hex
    answers = await asyncio.gather(
        *(client.ask("POST", "/v1/users", document, Idempotency_Key=key) for _ in range(10))
    )
    assert {answer.status for answer in answers} <= {201, 409}
    assert {answer.code for answer in answers if answer.status == 409} <= {
        "idempotency_in_progress"
    }
    assert await count(store, "events") == 1


async def test_without_database_the_answer_is_503(client: Client, store: Store) -> None:
    """EC-DB-001: and nothing is told that could not be kept."""
    path = await registered_path(client)
    store.pool.terminate()
    for method, url, document in (
        ("POST", "/v1/users", a_document()),
        ("PATCH", path, {"first_name": "Ida"}),
        ("GET", path, None),
        ("GET", "/v1/users", None),
    ):
        answer = await client.ask(method, url, document)
        assert (answer.status, answer.code) == (503, "unavailable")
        assert int(answer.headers["Retry-After"]) > 0
