import asyncio
from collections.abc import Iterator
from datetime import date
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
import pytest
from litestar import get
from litestar.params import FromQuery, QueryParameter
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from libs.httpapi import middleware
from libs.httpapi.app import create_app
from libs.httpapi.auth import PUBLIC
from libs.httpapi.keys import ApiKeys
from libs.httpapi.operations import PATHS, operations_alone
from libs.runtime.health import Health
from libs.runtime.stopping import Stopping
from libs.telemetry.metrics import exposition
from libs.telemetry.tracing import configure_tracing, shutdown_tracing
from tests.unit.edge.api import BEARER, JSON, READER_TOKEN, STRANGER, TOKEN, an_app
from tests.unit.edge.calls import Answer, call

FAILING = "/people/00000000-0000-0000-0000-00000000000"


@pytest.fixture(scope="module")
def app() -> Any:
    return an_app()


def assert_problem(answer: Answer, status: int, code: str) -> None:
    body = answer.json()
    assert (answer.status, body["status"], body["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert body["type"] == f"urn:jubilee:problem:{code}"
    assert body["title"]
    assert body["request_id"] == answer.headers["x-request-id"]


async def test_a_valid_request_is_answered(app: Any) -> None:
    answer = await call(app, "POST", "/people", body=b'{"name": "Ada"}', headers=JSON)
    assert (answer.status, answer.json()) == (201, {"name": "Hey, Ada of tester"})
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/people/17", 404, "not_found"),
        ("DELETE", "/people", 405, "method_not_allowed"),
        ("TRACE", "/people", 405, "method_not_allowed"),
        ("GET", "/people?limit=0", 422, "validation_failed"),
        ("GET", "/people?limit=many", 422, "validation_failed"),
        ("GET", "/people?cursor=%00", 400, "bad_request"),
        ("GET", FAILING + "1", 500, "internal_error"),
        ("GET", FAILING + "2", 503, "unavailable"),
        ("GET", FAILING + "3", 503, "unavailable"),
        ("GET", FAILING + "4", 409, "busy"),
    ],
)
async def test_every_refusal_and_error_is_a_problem(
    app: Any, method: str, target: str, status: int, code: str
) -> None:
    assert_problem(await call(app, method, target, headers=BEARER), status, code)


async def test_an_error_of_ours_tells_nothing_about_us(app: Any) -> None:
    answer = await call(app, "GET", FAILING + "1")
    assert b"secret" not in answer.body
    assert b"Error" not in answer.body


async def test_a_problem_carries_its_details_and_members(app: Any) -> None:
    body = (await call(app, "GET", FAILING + "4")).json()
    assert (body["detail"], body["version"]) == ("later", 7)


async def test_a_wrong_parameter_is_named(app: Any) -> None:
    (error,) = (await call(app, "GET", "/people?limit=501", headers=BEARER)).json()["errors"]
    assert (error["parameter"], error["pointer"]) == ("limit", None)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=many", "must be a whole number"),
        ("day=22.11.2026", "must be a day of the calendar, such as 2027-06-14"),
        ("after=", "must be a UUID"),
        ("type=b.v1&type=Nix", r"must match the pattern ^[a-z]+\.v1$"),
        ("order=up", "allowed are oldest, newest"),
    ],
    ids=["number", "day", "id", "pattern", "word"],
)
async def test_what_a_parameter_must_be_is_told(query: str, detail: str) -> None:
    name = Annotated[str, msgspec.Meta(pattern=r"^[a-z]+\.v1$")]

    @get("/found", guards=[PUBLIC])
    async def found(
        limit: FromQuery[int] = 1,
        day: FromQuery[date | None] = None,
        after: FromQuery[UUID | None] = None,
        names: Annotated[list[name] | None, QueryParameter(name="type")] = None,
        order: FromQuery[Literal["oldest", "newest"]] = "oldest",
    ) -> list[Any]:
        """Find."""
        return [limit, day, after, names, order]

    app = create_app([found], title="x", version="1", auth=ApiKeys([]), health=Health(Stopping()))
    (error,) = (await call(app, "GET", f"/found?{query}")).json()["errors"]
    assert (error["parameter"], error["detail"]) == (query.partition("=")[0], detail)


async def test_who_may_retry_is_told_when(app: Any) -> None:
    assert (await call(app, "GET", FAILING + "2")).headers["retry-after"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {STRANGER}"},
        {"authorization": "Bearer tester"},
        {"authorization": "Bearer tester.ö"},
        {"x-api-key": "nobody.secret"},
    ],
    ids=["none", "empty", "other scheme", "wrong secret", "no secret", "not ASCII", "unknown id"],
)
async def test_without_a_valid_key_every_answer_is_the_same(
    app: Any, headers: dict[str, str]
) -> None:
    answer = await call(app, "GET", "/people", headers=headers)
    assert_problem(answer, 401, "unauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["detail"] == "send Authorization: Bearer <key or token>"


@pytest.mark.edge_case("EC-SEC-007")
async def test_a_key_may_only_do_what_its_scopes_say(app: Any) -> None:
    headers = JSON | {"authorization": f"Bearer {READER_TOKEN}"}
    answer = await call(app, "POST", "/people", body=b"{}", headers=headers)
    assert_problem(answer, 403, "insufficient_scope")


async def test_a_key_may_come_in_its_own_header(app: Any) -> None:
    assert (await call(app, "GET", "/people", headers={"x-api-key": TOKEN})).status == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/json; charset=utf-16"},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
    ids=["none", "text", "charset", "compressed"],
)
async def test_a_body_of_another_type_is_refused(app: Any, headers: dict[str, str]) -> None:
    answer = await call(app, "POST", "/people", body=b"{}", headers=BEARER | headers)
    assert_problem(answer, 415, "unsupported_media_type")


@pytest.mark.parametrize(
    "content_type", ["application/merge-patch+json", 'Application/JSON; charset="UTF-8"']
)
async def test_json_may_be_called_by_its_other_names(app: Any, content_type: str) -> None:
    headers = BEARER | {"content-type": content_type}
    answer = await call(app, "POST", "/people", body=b'{"name": "Ada"}', headers=headers)
    assert answer.status == 201


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed_json"),
        (b"{", 400, "malformed_json"),
        (b'{"name": "a", "name": "b"}', 400, "duplicate_key"),
        (b'{"name": 1}', 422, "validation_failed"),
        (b" " * 70_000, 413, "body_too_large"),
        ([b" " * 50_000] * 2, 413, "body_too_large"),
    ],
    ids=["empty", "malformed", "duplicate key", "wrong type", "too large", "too large in pieces"],
)
async def test_a_bad_body_is_refused(app: Any, body: Any, status: int, code: str) -> None:
    assert_problem(await call(app, "POST", "/people", body=body, headers=JSON), status, code)


async def test_a_route_that_streams_takes_any_size(app: Any) -> None:
    headers = {"content-type": "application/x-ndjson"}
    answer = await call(app, "POST", "/import", body=[b"x" * 60_000] * 5, headers=headers)
    assert answer.json() == {"bytes": 300_000}


async def test_the_callers_request_id_is_kept_if_it_is_harmless(app: Any) -> None:
    kept = await call(app, "GET", "/nowhere", headers={"x-request-id": "order-66"})
    replaced = await call(app, "GET", "/nowhere", headers={"x-request-id": "a b\tc"})
    assert kept.headers["x-request-id"] == "order-66"
    assert len(replaced.headers["x-request-id"]) == 32


@pytest.mark.edge_case("EC-PF-012")
async def test_a_request_beyond_the_limit_is_turned_away_but_operators_are_not() -> None:
    full = an_app(max_under_way=0)
    assert_problem(await call(full, "GET", "/people", headers=BEARER), 503, "unavailable")
    assert (await call(full, "GET", "/health/live")).status == 200
    assert (await call(full, "GET", "/metrics")).status == 200


@pytest.mark.edge_case("EC-DV-019")
async def test_an_answer_that_contains_itself_is_an_error_of_ours_and_of_one_request() -> None:
    circle: dict[str, Any] = {}
    circle["circle"] = circle

    @get("/circle", guards=[PUBLIC])
    async def circular() -> dict[str, Any]:
        return circle

    app = create_app(
        [circular], title="t", version="1", auth=ApiKeys([]), health=Health(Stopping())
    )
    assert_problem(await call(app, "GET", "/circle"), 500, "internal_error")
    assert (await call(app, "GET", "/health/live")).status == 200


async def test_a_body_that_dribbles_is_given_up(app: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_PAUSE_S", 0.01)

    async def slow(scope: Any, receive: Any, send: Any) -> None:
        del receive
        await app(scope, asyncio.Event().wait, send)

    answer = await call(slow, "POST", "/people", headers=JSON)
    assert_problem(answer, 408, "request_timeout")


async def test_readiness_gives_the_reason() -> None:
    async def missing() -> str:
        return "no partition for tomorrow"

    health = Health(Stopping())
    health.add("partitions", missing)
    app = an_app(health)
    ready = await call(app, "GET", "/health/ready")
    expected = {"status": "failing", "checks": {"partitions": "no partition for tomorrow"}}
    assert (ready.status, ready.json()) == (503, expected)
    assert (await call(app, "GET", "/health/live")).status == 200


async def test_requests_are_measured_by_route_never_by_path(app: Any) -> None:
    await call(app, "GET", FAILING + "4")
    await call(app, "BREW", "/nowhere")
    text = exposition()[0].decode()
    assert 'method="GET",route="/people/{person_id}",status="4xx"' in text
    assert 'method="other",route="unmatched",status="4xx"' in text
    assert "/nowhere" not in text


async def test_a_process_without_an_api_answers_operators_and_nobody_else() -> None:
    alone = operations_alone(Health(Stopping()))
    statuses = [
        (await call(alone, method, path)).status
        for method, path in [
            *(("GET", path) for path in PATHS),
            ("POST", "/metrics"),
            ("GET", "/v1/users"),
            ("GET", "/docs"),
        ]
    ]
    assert statuses == [200, 200, 200, 404, 404, 404]


async def test_metrics_are_text_any_prometheus_reads(app: Any) -> None:
    answer = await call(app, "GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"


@pytest.fixture
def spans() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    configure_tracing("test", environ={}, processor=SimpleSpanProcessor(exporter))
    yield exporter
    shutdown_tracing()


async def test_a_request_is_a_span_in_the_callers_trace(
    app: Any, spans: InMemorySpanExporter
) -> None:
    headers = BEARER | {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
    await call(app, "GET", "/people?cursor=secret", headers=headers)
    (found,) = spans.get_finished_spans()
    assert found.name == "GET /people"
    assert found.context.trace_id == int("a" * 32, 16)
    assert dict(found.attributes or {})["http.response.status_code"] == 200
    assert "secret" not in found.to_json()


def test_a_route_without_a_guard_does_not_start() -> None:
    @get("/open")
    async def handler() -> None: ...

    with pytest.raises(Exception, match="/open needs a guard"):
        create_app([handler], title="t", version="1", auth=ApiKeys([]), health=Health(Stopping()))


def test_a_public_route_says_so() -> None:
    assert PUBLIC.scope is None
