"""Bad input and the answers it gets, over real sockets, from every service alike."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from libs.httpapi.bodies import MAX_BODY_BYTES
from libs.httpapi.serve import MAX_HEAD_BYTES
from tests.support.people import a_document
from tests.support.town import AUTHORIZATION, BEFORE_NINE, SECRET, Town, a_town

SERVICES = ("user", "planner", "dispatcher")
NOBODY = "01890000-0000-7000-8000-000000000000"
WRITES = {
    "user": ("POST", "/v1/users"),
    "planner": ("POST", "/v1/cancellations"),
    "dispatcher": ("PUT", "/v1/suppressions"),
}
LISTS = {"user": "/v1/users", "planner": "/v1/set-aside", "dispatcher": "/v1/suppressions"}
BAD_IDS = {
    "user": "/v1/users/7",
    "planner": "/v1/users/7/occurrences",
    "dispatcher": "/v1/deliveries/2027-03-10/7/birthday",
}
RANDOM_IDS = {
    "user": f"/v1/users/{NOBODY}",
    "planner": f"/v1/users/{NOBODY}/occurrences",
    "dispatcher": f"/v1/deliveries/2027-03-10/{NOBODY}/birthday",
}
JSON = {"Content_Type": "application/json"}


@pytest.fixture(scope="module")
async def town(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Town]:
    """Yield a system whose three services run."""
    folder: Path = tmp_path_factory.mktemp("town")
    async with a_town(pg_url, amqp_url, amqp_api, folder) as town:
        for service in SERVICES:
            await town.start(service, env={"JUBILEE_CLOCK": BEFORE_NINE})
        yield town


def a_body(service: str) -> dict[str, Any]:
    """Return a body the service takes."""
    bodies: dict[str, dict[str, Any]] = {
        "user": a_document(),
        "planner": {"first_day": "2027-06-01", "last_day": "2027-06-01", "person_id": NOBODY},
        "dispatcher": {"email": "nobody@example.com", "reason": "asked"},
    }
    return bodies[service]


async def ask(
    town: Town, service: str, method: str, path: str, *, data: Any = None, **headers: str
) -> tuple[int, Any]:
    """Return status and document of one request; header names are written with ``_`` for ``-``."""
    named = AUTHORIZATION | {name.replace("_", "-"): value for name, value in headers.items()}
    url = URL(town.system.url(service) + path, encoded=True)
    async with town.session.request(method, url, data=data, headers=named) as answer:
        text = await answer.text()
        is_problem = answer.headers.get("Content-Type") == "application/problem+json"
        assert answer.status < 400 or is_problem or not text, text
        return answer.status, json.loads(text) if text else {}


async def write(town: Town, service: str, data: Any, **headers: str) -> tuple[int, Any]:
    """Send ``data`` to the route by which the service takes something in."""
    method, path = WRITES[service]
    headers = JSON | headers
    return await ask(town, service, method, path, data=data, **headers)


every_service = pytest.mark.parametrize("service", SERVICES)


@every_service
@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param("", id="EC-SEC-006 no credential"),
        pytest.param("Bearer", id="EC-SEC-009 malformed"),
        pytest.param(f"Bearer town.{SECRET}x", id="EC-SEC-009 wrong secret"),
        pytest.param("Bearer gone.x", id="EC-SEC-009 revoked"),
        pytest.param("Bearer e30.e30.x", id="EC-SEC-009 token of nobody"),
        pytest.param("Basic dG93bjp4", id="EC-SEC-009 another scheme"),
    ],
)
async def test_without_a_valid_credential_the_answer_is_always_the_same(
    town: Town, service: str, authorization: str
) -> None:
    status, problem = await ask(town, service, "GET", LISTS[service], Authorization=authorization)
    assert (status, problem["code"]) == (401, "unauthenticated")
    assert problem["detail"] == "send Authorization: Bearer <key or token>"


DEEP = b'{"first_name":' * 100 + b"1" + b"}" * 100
BAD_BODIES = [
    ("no JSON", b"{", 400, "malformed_json"),
    ("nothing at all", b"", 400, "malformed_json"),
    ("byte order mark", b"\xef\xbb\xbf{}", 400, "malformed_json"),
    ("no UTF-8", b'{"a":"\xff"}', 400, "malformed_json"),
    ("lone surrogate", b'{"a":"\\ud800"}', 400, "malformed_json"),
    ("EC-DV-012 NaN", b'{"a":NaN}', 400, "malformed_json"),
    ("EC-DV-012 infinity", b'{"a":-Infinity}', 400, "malformed_json"),
    ("EC-DV-020 100 levels: no route takes more than a few", DEEP, 400, "malformed_json"),
    ("100,000 levels", b"[" * 60_000, 400, "malformed_json"),
    ("a field twice", b'{"a":1,"a":1}', 400, "duplicate_key"),
    ("EC-DV-012 1e400", b'{"a":1e400}', 422, "validation_failed"),
    ("EC-DV-011 beyond 2^53", b'{"a":9007199254740993}', 422, "validation_failed"),
    ("EC-DV-018 unknown field", b'{"nick":1}', 422, "validation_failed"),
    ("EC-DV-003 EC-DV-017 nothing in it", b"{}", 422, "validation_failed"),
    ("EC-DV-019 a circle by reference", b'{"$ref":"#"}', 422, "validation_failed"),
    ("no object", b"[]", 422, "validation_failed"),
    ("NUL", b'{"reason":"a\\u0000"}', 422, "validation_failed"),
]


@every_service
@pytest.mark.parametrize(
    ("body", "status", "code"), [row[1:] for row in BAD_BODIES], ids=[row[0] for row in BAD_BODIES]
)
async def test_a_bad_body_is_refused(
    town: Town, service: str, body: bytes, status: int, code: str
) -> None:
    answer, problem = await write(town, service, body)
    assert (answer, problem["code"]) == (status, code)


@every_service
@pytest.mark.parametrize(
    "value",
    [
        pytest.param(None, id="EC-DV-002 null"),
        pytest.param("", id="EC-DV-001 empty"),
        pytest.param(-1, id="EC-DV-009 negative number"),
        pytest.param(1.5, id="EC-DV-010 float"),
        pytest.param(True, id="bool"),
        pytest.param({"$ne": 1}, id="object"),
    ],
)
async def test_a_value_of_another_kind_is_refused_by_its_pointer(
    town: Town, service: str, value: Any
) -> None:
    field = {"user": "email", "planner": "first_day", "dispatcher": "email"}[service]
    status, problem = await write(town, service, json.dumps(a_body(service) | {field: value}))
    assert status == 422
    assert f"/{field}" in [error["pointer"] for error in problem["errors"]]


@every_service
@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Content_Type": "text/plain"}, id="text"),
        pytest.param({"Content_Type": "application/json; charset=utf-16"}, id="utf-16"),
        pytest.param({"Content_Encoding": "gzip"}, id="compressed"),
    ],
)
async def test_a_body_of_another_type_is_refused(
    town: Town, service: str, headers: dict[str, str]
) -> None:
    status, problem = await write(town, service, json.dumps(a_body(service)), **headers)
    assert (status, problem["code"]) == (415, "unsupported_media_type")


@every_service
@pytest.mark.edge_case("EC-SEC-011")
async def test_a_body_beyond_the_limit_is_refused_and_the_limit_named(
    town: Town, service: str
) -> None:
    status, problem = await write(town, service, b'{"a":"' + b"x" * MAX_BODY_BYTES + b'"}')
    assert (status, problem["code"]) == (413, "body_too_large")
    assert str(MAX_BODY_BYTES) in problem["detail"]


@every_service
@pytest.mark.edge_case("EC-SEC-011")
async def test_a_hundred_megabytes_are_refused_before_they_have_come(
    town: Town, service: str
) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * 2**20:
            sent += 2**16
            yield b"x" * 2**16
            await asyncio.sleep(0.002)  # the answer must have a chance to be read meanwhile

    try:
        status, _ = await write(town, service, pieces())
    except aiohttp.ClientError:  # hung up on while still sending
        status = 413
    assert status == 413
    assert sent < 50 * 2**20


@every_service
async def test_a_trespassing_path_or_method_is_refused(town: Town, service: str) -> None:
    path = LISTS[service]
    assert (await ask(town, service, "GET", BAD_IDS[service]))[0] == 404
    assert (await ask(town, service, "GET", RANDOM_IDS[service]))[0] == 404
    assert (await ask(town, service, "GET", "/v2/nothing"))[0] == 404
    assert (await ask(town, service, "GET", f"{path}?limit=%00"))[0] == 400
    for method in ("TRACE", "PROPFIND"):
        assert (await ask(town, service, method, path))[0] == 405


@every_service
@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param("cursor=x", 400, "bad_cursor", id="cursor of nobody"),
        pytest.param("cursor=" + "A" * 40, 400, "bad_cursor", id="cursor tampered with"),
        pytest.param("limit=0", 422, "wrong_value", id="none"),
        pytest.param("limit=10001", 422, "wrong_value", id="too many"),
        pytest.param("limit=-1", 422, "wrong_value", id="EC-DV-009 negative"),
        pytest.param("limit=1.5", 422, "wrong_value", id="EC-DV-010 float for a whole number"),
        pytest.param("limit=9" + "9" * 30, 422, "wrong_value", id="EC-DV-011 too great"),
        pytest.param("limti=1", 422, "unknown_parameter", id="misspelt"),
    ],
)
async def test_a_bad_parameter_is_refused_by_name(
    town: Town, service: str, query: str, status: int, code: str
) -> None:
    answer, problem = await ask(town, service, "GET", f"{LISTS[service]}?{query}")
    assert answer == status
    if status == 422:
        error = problem["errors"][0]
        assert (error["parameter"], error["code"]) == (query.partition("=")[0], code)
    else:
        assert problem["code"] == code


async def test_a_refused_parameter_tells_what_would_be_right(town: Town) -> None:
    _, misspelt = await ask(town, "user", "GET", "/v1/users?nme=Ada")
    assert misspelt["errors"][0]["detail"].startswith("did you mean name? allowed are ")
    _, missing = await ask(town, "planner", "GET", f"/v1/users/{NOBODY}/explain")
    told = [(error["parameter"], error["code"]) for error in missing["errors"]]
    assert told == [("kind", "missing")]


@every_service
@pytest.mark.parametrize("key", ["k" * 256, "schl\xfcssel", "two words"])
async def test_a_malformed_idempotency_key_is_refused(town: Town, service: str, key: str) -> None:
    status, problem = await write(town, service, json.dumps(a_body(service)), Idempotency_Key=key)
    assert (status, problem["code"]) == (400, "bad_idempotency_key")


@every_service
async def test_a_key_answers_the_same_request_again_and_refuses_another(
    town: Town, service: str
) -> None:
    body = a_body(service)
    headers = {"Idempotency_Key": f"key-of-{service}"}
    first = await write(town, service, json.dumps(body), **headers)
    again = await write(town, service, json.dumps(dict(reversed(body.items()))), **headers)
    assert again == first
    assert first[0] in {200, 201}
    changed = {
        "user": {"first_name": "Ida"},
        "planner": {"last_day": "2027-06-02"},
        "dispatcher": {"reason": "bounced"},
    }
    other = await write(town, service, json.dumps(body | changed[service]), **headers)
    assert (other[0], other[1]["code"]) == (422, "idempotency_key_reused")


@every_service
async def test_neither_a_key_nor_a_version_is_demanded(town: Town, service: str) -> None:
    assert (await write(town, service, json.dumps(a_body(service))))[0] in {200, 201}


@every_service
async def test_what_a_client_says_of_its_address_or_tenant_is_ignored(
    town: Town, service: str
) -> None:
    headers = {"X_Forwarded_For": "10.0.0.1", "X_Tenant": "other", "Forwarded": "for=10.0.0.1"}
    assert (await ask(town, service, "GET", LISTS[service], **headers))[0] == 200


@every_service
async def test_every_answer_but_operators_ones_tells_the_rate_limit(
    town: Town, service: str
) -> None:
    url = town.system.url(service)
    async with town.session.get(url + LISTS[service], headers=AUTHORIZATION) as answer:
        assert answer.headers["RateLimit-Policy"] == '"default";q=4000;w=2'
        assert answer.headers["RateLimit"].startswith('"default";r=')
    async with town.session.get(f"{url}/health/live") as answer:
        assert "RateLimit" not in answer.headers


async def test_processes_of_a_service_share_the_allowance_of_a_caller(town: Town) -> None:
    slow = {"USER_RATE_PER_S": "0.1", "USER_RATE_BURST": "32", "JUBILEE_CLOCK": BEFORE_NINE}
    let_in = 0
    for name in ("user-1", "user-2", "user-3"):
        await town.start(name, env=slow, roles=("api",))
        statuses = [(await ask(town, name, "GET", LISTS["user"]))[0] for _ in range(40)]
        let_in += statuses.count(200)
        assert set(statuses) <= {200, 429}
        await town.system.stop(name)
    assert 32 <= let_in <= 32 + 2 * 2 * 1 + 3  # two slices of one for each further process


async def raw(town: Town, service: str, request: bytes) -> bytes:
    """Return the first line of what comes back."""
    address = URL(town.system.url(service))
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write(request)
    try:
        return await asyncio.wait_for(reader.readline(), 15)
    except ConnectionError:
        return b""
    finally:
        writer.close()


HEAD = b"POST /v1/users HTTP/1.1\r\nHost: here\r\n"
SMUGGLED = (
    b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n"
)


@every_service
@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(HEAD + SMUGGLED, id="two lengths"),
        pytest.param(HEAD + b"X: " + b"y" * MAX_HEAD_BYTES + b"\r\n\r\n", id="head too large"),
        pytest.param(HEAD + b"X: y\r\n" * 200 + b"\r\n", id="200 headers"),
        pytest.param(b"nonsense\r\n\r\n", id="no HTTP"),
    ],
)
async def test_a_request_that_two_parsers_may_read_differently_is_refused(
    town: Town, service: str, request_bytes: bytes
) -> None:
    line = await raw(town, service, request_bytes)
    assert line.split()[1:2] in ([b"400"], [b"431"])


FIELDS: list[tuple[str, str, Any, str]] = [
    ("name of 101", "first_name", "x" * 101, "too_long"),
    ("control character in a name", "first_name", "A\u0007da", "forbidden_character"),
    ("bidi control in a name", "first_name", "A\u202eda", "forbidden_character"),
    ("line separator in a name", "last_name", "A\u2028da", "forbidden_character"),
    ("two addresses", "email", "a@example.com,b@example.com", "invalid_email"),
    ("display form", "email", "Ada <ada@example.com>", "invalid_email"),
    ("quoted local part", "email", '"a b"@example.com', "invalid_email"),
    ("comment", "email", "ada(x)@example.com", "invalid_email"),
    ("CRLF", "email", "ada@example.com\r\nBcc: x@example.com", "invalid_email"),
    ("255 characters", "email", "x@" + "y" * 249 + ".com", "too_long"),
    ("no dot", "email", "ada@localhost", "invalid_email"),
    ("IP literal", "email", "ada@[192.0.2.1]", "invalid_email"),
    ("trailing dot", "email", "ada@example.com.", "invalid_email"),
    ("non-ASCII local part", "email", "ädä@example.com", "invalid_email"),
    ("no such day", "birthday", "2023-02-29", "invalid_date"),
    ("year 0", "birthday", "0000-01-01", "invalid_date"),
    ("1899", "birthday", "1899-12-31", "date_too_early"),
    ("the day after tomorrow", "birthday", "2027-03-12", "date_in_future"),
    ("with a time", "birthday", "1990-06-14T00:00:00", "invalid_date"),
    ("Mars", "timezone", "Mars/Phobos", "unknown_time_zone"),
    ("a folder", "timezone", "Europe", "unknown_time_zone"),
    ("nowhere", "timezone", "", "unknown_time_zone"),
    ("path upwards", "timezone", "../../x", "unknown_time_zone"),
    ("absolute path", "timezone", "/abs/path", "unknown_time_zone"),
    ("line break", "timezone", "Europe/Berlin\n", "unknown_time_zone"),
    ("localtime", "timezone", "localtime", "unknown_time_zone"),
    ("Factory", "timezone", "Factory", "unknown_time_zone"),
    ("posixrules", "timezone", "posixrules", "unknown_time_zone"),
    ("right/UTC", "timezone", "right/UTC", "unknown_time_zone"),
    ("UTC+3", "timezone", "UTC+3", "unknown_time_zone"),
]


@pytest.mark.parametrize(
    ("name", "value", "code"), [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS]
)
async def test_a_bad_field_is_refused_by_pointer_and_never_repeated(
    town: Town, name: str, value: str, code: str
) -> None:
    status, problem = await write(town, "user", json.dumps(a_document(**{name: value})))
    assert (status, problem["code"]) == (422, "validation_failed")
    told = [(error["pointer"], error["code"]) for error in problem["errors"]]
    assert told == [(f"/{name}", code)]
    assert len(value) < 8 or value not in json.dumps(problem)


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        pytest.param("first_name", "👩‍👩‍👧" * 20, "👩‍👩‍👧" * 20, id="100 joined emoji"),
        pytest.param("email", "ada@bücher.example.com", None, id="IDN domain"),
        pytest.param("birthday", "2024-02-29", "2024-02-29", id="29 February"),
        pytest.param("timezone", "europe/berlin", "Europe/Berlin", id="zone in any case"),
        pytest.param("timezone", "Europe/Kiev", "Europe/Kiev", id="zone alias"),
    ],
)
async def test_an_unusual_field_is_taken(
    town: Town, name: str, value: str, kept: str | None
) -> None:
    status, person = await write(town, "user", json.dumps(a_document(**{name: value})))
    assert status == 201, person
    assert kept is None or person[name] == kept


async def test_a_version_is_honoured_when_it_is_named(town: Town) -> None:
    _, person = await write(town, "user", json.dumps(a_document()))
    path, patch = f"/v1/users/{person['id']}", json.dumps({"first_name": "Ida"})
    changed = await ask(town, "user", "PATCH", path, data=patch, **JSON)
    assert (changed[0], changed[1]["version"]) == (200, 2)
    stale = await ask(town, "user", "PATCH", path, data=patch, **JSON, If_Match='"1"')
    assert (stale[0], stale[1]["code"]) == (412, "version_mismatch")


async def test_a_second_delete_is_a_repetition_only_under_the_same_key(town: Town) -> None:
    _, person = await write(town, "user", json.dumps(a_document()))
    path = f"/v1/users/{person['id']}"
    twice = [(await ask(town, "user", "DELETE", path, Idempotency_Key="d"))[0] for _ in range(2)]
    assert twice == [204, 204]
    assert (await ask(town, "user", "DELETE", path))[0] == 404
    patch = json.dumps({"first_name": "Ida"})
    assert (await ask(town, "user", "PATCH", path, data=patch, **JSON))[0] == 404


async def test_a_page_that_is_unchanged_is_not_sent_again(town: Town) -> None:
    _, person = await write(town, "user", json.dumps(a_document()))
    path = f"/v1/users/{person['id']}"
    assert (await ask(town, "user", "GET", path, If_None_Match='"1"'))[0] == 304
    assert (await ask(town, "user", "GET", path, If_None_Match='"2"'))[0] == 200
