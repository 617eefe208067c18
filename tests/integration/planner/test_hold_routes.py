"""Pauses and cancellations over HTTP: who may, what is answered, what is recorded."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from contracts.kinds import KINDS
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.serve import HttpServer
from libs.ids import new_id
from libs.runtime.health import Health
from services.planner.entrypoints.api import create_api
from tests.integration.planner.test_holds import followed
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, day, person_id, utc

KEY, TOKEN = new_key("operator", ["plans:read", "ops:pause"])
READER, READER_TOKEN = new_key("reader", ["plans:read"])
TODAY = day("2026-06-14")
PERSON = a_recipient(birthday="1990-06-14")
THIS_DAY = {"first_day": "2026-06-14", "last_day": "2026-06-14"}

Call = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def call(world: World) -> AsyncIterator[Call]:
    """Yield what calls the API and returns status and document."""
    app = create_api(
        pool=world.pool,
        clock=world.clock,
        publisher=world.publisher,
        kinds=KINDS,
        auth=ApiKeys([KEY, READER]),
        health=Health(),
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

        async def send(
            method: str, path: str, body: Any = None, *, token: str = TOKEN, **params: str
        ) -> tuple[int, Any]:
            headers = {"authorization": f"Bearer {token}"}
            async with session.request(
                method, path, json=body, params=params, headers=headers
            ) as answer:
                return answer.status, await answer.json(content_type=None)

        yield send
    await server.stop()
    await serving


async def test_a_pause_says_who_and_since_when_and_ends_the_same_way(
    world: World, call: Call
) -> None:
    status, held = await call("POST", "/v1/pauses", {"kind": "birthday", "reason": "wrong text"})
    assert status == 200
    assert held == {
        "pause_id": held["pause_id"],
        "person_id": None,
        "kind": "birthday",
        "reason": "wrong text",
        "paused_at": "2026-06-13T12:00:00Z",
        "paused_by": "operator",
        "resumed_at": None,
        "resumed_by": None,
    }
    assert await call("POST", "/v1/pauses", {"kind": "birthday"}) == (200, held)
    world.clock.set(utc("2026-06-13 13:00"))
    status, ended = await call("POST", f"/v1/pauses/{held['pause_id']}/resume")
    assert status == 200
    assert ended == held | {"resumed_at": "2026-06-13T13:00:00Z", "resumed_by": "operator"}
    world.clock.set(utc("2026-06-13 14:00"))
    assert await call("POST", f"/v1/pauses/{held['pause_id']}/resume") == (200, ended)


@pytest.mark.parametrize(
    ("path", "scope", "code"),
    [
        ("/v1/pauses", {"kind": "birthday"}, "paused_already"),
        ("/v1/cancellations", THIS_DAY, "cancelled_already"),
    ],
)
async def test_a_second_reason_is_refused_and_the_first_is_shown(
    world: World, call: Call, path: str, scope: dict[str, Any], code: str
) -> None:
    _, held = await call("POST", path, scope | {"reason": "wrong text"})
    status, problem = await call("POST", path, scope | {"reason": "no text at all"})
    assert (status, problem["code"], problem["reason"]) == (409, code, "wrong text")
    assert problem["id"] in held.values()
    assert problem["detail"].endswith("because: wrong text")
    assert await call("POST", path, scope | {"reason": "wrong text"}) == (200, held)
    assert await world.pool.fetchval("SELECT count(*) FROM outbox") == 1


async def test_pauses_are_listed_page_by_page_the_newest_first(call: Call) -> None:
    made = [
        (await call("POST", "/v1/pauses", {"person_id": str(person_id(number))}))[1]["pause_id"]
        for number in range(5)
    ]
    await call("POST", f"/v1/pauses/{made[1]}/resume")
    listed: dict[str, list[str]] = {"true": [], "false": []}
    for only_open, found in listed.items():
        params = {"limit": "2", "open": only_open}
        while True:
            _, page = await call("GET", "/v1/pauses", **params)
            found += [one["pause_id"] for one in page["items"]]
            if page["next"] is None:
                break
            params["cursor"] = page["next"]
    assert listed["false"] == made[::-1]
    assert listed["true"] == [one for one in made[::-1] if one != made[1]]
    _, default = await call("GET", "/v1/pauses")
    assert [one["pause_id"] for one in default["items"]] == listed["true"]


async def test_a_cancellation_is_made_once_and_listed(world: World, call: Call) -> None:
    await world.project(PERSON)
    await world.plan()
    body = THIS_DAY | {"person_id": str(PERSON.person_id), "reason": "asked us to"}
    status, made = await call("POST", "/v1/cancellations", body)
    assert status == 200
    assert (made["cancelled_by"], made["cancelled_at"]) == ("operator", "2026-06-13T12:00:00Z")
    assert await call("POST", "/v1/cancellations", body) == (200, made)
    await followed(world)
    assert await world.state(PERSON, TODAY) == ("cancelled", "called_off")
    _, page = await call("GET", "/v1/cancellations")
    assert page == {"items": [made], "next": None}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/pauses", {}),
        (f"/v1/pauses/{new_id()}/resume", None),
        ("/v1/cancellations", THIS_DAY),
    ],
)
async def test_holding_needs_its_own_scope(
    world: World, call: Call, path: str, body: dict[str, Any] | None
) -> None:
    assert (await call("POST", path, body, token=READER_TOKEN))[0] == 403
    assert await world.pool.fetchval("SELECT count(*) FROM outbox") == 0


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        pytest.param("/v1/pauses", {"kind": "coronation"}, "/kind", id="unknown kind"),
        pytest.param("/v1/pauses", {"person_id": "7"}, "/person_id", id="no id"),
        pytest.param("/v1/pauses", {"reason": "a\u0000b"}, "/reason", id="control character"),
        pytest.param("/v1/pauses", {"reason": ""}, "/reason", id="empty reason"),
        pytest.param("/v1/pauses", {"persn_id": None}, "/persn_id", id="misspelt"),
        pytest.param("/v1/cancellations", {"first_day": "2026-06-14"}, "/last_day", id="no end"),
        pytest.param(
            "/v1/cancellations",
            {"first_day": "2026-06-15", "last_day": "2026-06-14"},
            "/first_day",
            id="wrong order",
        ),
        pytest.param(
            "/v1/cancellations",
            THIS_DAY | {"kind": "coronation"},
            "/kind",
            id="unknown, called off",
        ),
        pytest.param(
            "/v1/cancellations",
            {"first_day": "2026-02-30", "last_day": "2026-06-14"},
            "/first_day",
            id="no such day",
        ),
    ],
)
async def test_what_cannot_be_held_is_refused_with_its_field(
    world: World, call: Call, path: str, body: dict[str, Any], pointer: str
) -> None:
    status, problem = await call("POST", path, body)
    assert (status, problem["code"]) == (422, "validation_failed")
    assert [error["pointer"] for error in problem["errors"]] == [pointer]
    assert await world.pool.fetchval("SELECT count(*) FROM outbox") == 0


async def test_what_was_never_paused_cannot_be_resumed(call: Call) -> None:
    assert (await call("POST", f"/v1/pauses/{new_id()}/resume"))[0] == 404


async def test_why_somebody_waits_is_explained_with_the_way_out(world: World, call: Call) -> None:
    await world.project(PERSON)
    await world.plan()
    _, held = await call("POST", "/v1/pauses", {"person_id": str(PERSON.person_id)})
    path = f"/v1/users/{PERSON.person_id}/explain"
    _, told = await call("GET", path, kind="birthday")
    assert (told["is_owed"], told["reason"]) == (False, "paused")
    assert told["change"]["text"] == f"resume the pause {held['pause_id']}"
    _, other = await call("GET", path, kind="birthday", year="2027")
    assert other["reason"] == "paused"
    await call("POST", f"/v1/pauses/{held['pause_id']}/resume")
    _, told = await call("GET", path, kind="birthday")
    assert (told["is_owed"], told["reason"]) == (True, None)


async def test_what_is_called_off_is_explained_and_next_year_is_not(
    world: World, call: Call
) -> None:
    await world.project(PERSON)
    await world.plan()
    await call("POST", "/v1/cancellations", THIS_DAY | {"kind": "birthday"})
    path = f"/v1/users/{PERSON.person_id}/explain"
    _, told = await call("GET", path, kind="birthday")
    assert (told["reason"], told["change"]["is_possible"]) == ("called_off", False)
    _, next_year = await call("GET", path, kind="birthday", year="2027")
    assert next_year["is_owed"]


@pytest.mark.edge_case("EC-S-015", "EC-S-018")
async def test_what_is_a_day_late_is_sent_as_late_and_what_is_two_days_late_is_listed(
    world: World, call: Call
) -> None:
    kept = a_recipient(birthday="1990-06-14")
    lost = a_recipient(birthday="1990-06-14", zone="Asia/Tokyo")
    await world.project(kept, lost)
    await world.plan()
    (request,) = await world.release_at("2026-06-16 07:00")
    assert request.person_id == kept.person_id
    await world.accept(request)
    _, told = await call("GET", f"/v1/users/{kept.person_id}/occurrences")
    sent = next(one for one in told["items"] if one["local_day"] == "2026-06-14")
    assert (sent["state"], sent["lateness_s"]) == ("accepted", 48 * 3600.0)
    _, page = await call("GET", "/v1/plans/2026-06-14/expired")
    assert [(one["person_id"], one["reason"]) for one in page["items"]] == [
        (str(lost.person_id), "too_late")
    ]


async def test_what_expired_is_listed_page_by_page(world: World, call: Call) -> None:
    people = [a_recipient(person_id=person_id(n), birthday="1990-06-14") for n in range(5)]
    await world.project(*people)
    await world.plan()
    (request, *_) = await world.release_at("2026-06-14 07:00")
    await world.defer(request, utc("2026-06-17 07:00"))
    await world.pool.execute("UPDATE plan SET state = 'waiting' WHERE state = 'released'")
    await world.release_at("2026-06-17 07:00")
    found: list[dict[str, Any]] = []
    params = {"limit": "2"}
    while True:
        status, page = await call("GET", "/v1/plans/2026-06-14/expired", **params)
        assert status == 200
        found += page["items"]
        if page["next"] is None:
            break
        params["cursor"] = page["next"]
    assert [one["person_id"] for one in found] == [str(person.person_id) for person in people]
    assert {one["reason"] for one in found} == {"too_late"}
    assert found[0]["key"] == f"2026-06-14/{people[0].person_id}/birthday"
