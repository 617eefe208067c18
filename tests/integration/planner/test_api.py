"""The planner's HTTP API on a real plan."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from contracts.kinds import KINDS
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.serve import HttpServer
from libs.ids import new_id, occurrence_key
from libs.runtime.health import Health
from services.planner.adapters.set_aside import SetAside
from services.planner.app.redriving import keep_aside, list_aside
from services.planner.entrypoints.api import create_api
from tests.integration.planner.world import World
from tests.support.recipients import a_recipient, changed, day, utc

KEY, TOKEN = new_key("tests", ["plans:read", "ops:redrive"])
OTHER, OTHER_TOKEN = new_key("other", ["users:read"])
READER, READER_TOKEN = new_key("reader", ["plans:read"])
TODAY = day("2026-06-14")

Ask = Callable[..., Awaitable[tuple[int, Any]]]


@pytest.fixture
async def ask(world: World) -> AsyncIterator[Ask]:
    """Yield what asks the API and returns status and document."""
    app = create_api(
        pool=world.pool,
        clock=world.clock,
        publisher=world.publisher,
        kinds=KINDS,
        auth=ApiKeys([KEY, OTHER, READER]),
        health=Health(),
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:

        async def call(
            path: str, *, token: str = TOKEN, method: str = "GET", **params: str
        ) -> tuple[int, Any]:
            headers = {"authorization": f"Bearer {token}"}
            async with session.request(method, path, params=params, headers=headers) as answer:
                return answer.status, await answer.json(content_type=None)

        yield call
    await server.stop()
    await serving


async def test_a_day_balances_like_an_account(world: World, ask: Ask) -> None:
    people = [a_recipient(birthday="1990-06-14") for _ in range(4)]
    people[3] = a_recipient(birthday="1990-06-14", zone="America/New_York")
    await world.project(*people)
    await world.plan()
    await world.project(changed(people[2], is_active=False))
    first, second = await world.release_at("2026-06-14 07:00")
    await world.accept(first)
    await world.refuse(second)
    status, document = await ask("/v1/plans/2026-06-14")
    assert status == 200
    assert document["totals"] == {
        "owed": 4,
        "accepted": 1,
        "failed": 1,
        "suppressed": 1,
        "expired": 0,
        "cancelled": 0,
        "unknown": 0,
        "pending": 1,
    }
    assert [tuple(line.values()) for line in document["ledger"]] == [
        ("birthday", "accepted", None, 1),
        ("birthday", "refused", "bad_mailbox", 1),
        ("birthday", "suppressed", "user_removed", 1),
        ("birthday", "waiting", None, 1),
    ]


async def test_a_range_lists_the_days_that_owe_something(world: World, ask: Ask) -> None:
    await world.project(a_recipient(birthday="1990-06-14", anniversary="--06-16"))
    await world.plan()
    status, document = await ask("/v1/plans", **{"from": "2026-06-01", "to": "2026-06-30"})
    assert status == 200
    found = [(one["local_day"], one["totals"]["owed"]) for one in document["days"]]
    assert found == [("2026-06-14", 1), ("2026-06-16", 1)]


async def test_progress_shows_nine_sweeping_around_the_world(world: World, ask: Ask) -> None:
    await world.project(
        a_recipient(birthday="1990-06-14", zone="Asia/Tokyo"),
        a_recipient(birthday="1990-06-14", zone="Europe/Berlin"),
        a_recipient(birthday="1990-06-14", zone="Europe/Paris"),
    )
    await world.plan()
    (request,) = await world.release_at("2026-06-14 00:00")
    await world.accept(request)
    _, document = await ask("/v1/plans/2026-06-14/progress")
    assert document["now"] == "2026-06-14T00:00:00Z"
    tokyo, middle = document["instants"]
    assert (tokyo["owed"], tokyo["accepted"], tokyo["zones"]) == (1, 1, ["Asia/Tokyo"])
    assert (middle["owed"], middle["pending"]) == (2, 2)
    assert middle["zones"] == ["Europe/Berlin", "Europe/Paris"]


async def test_a_person_sees_what_was_and_what_comes(world: World, ask: Ask) -> None:
    person = a_recipient(birthday="1990-06-14", anniversary="2020-12-24")
    await world.project(person)
    await world.plan()
    (request,) = await world.release_at("2026-06-14 07:00")
    await world.accept(request)
    world.clock.set(utc("2026-06-14 07:01"))
    status, document = await ask(f"/v1/users/{person.person_id}/occurrences")
    assert (status, document["person_version"]) == (200, 1)
    found = {one["key"]: one for one in document["items"]}
    past = found[occurrence_key(TODAY, person.person_id, "birthday")]
    assert (past["state"], past["lateness_s"], past["years"]) == ("accepted", 0.0, 36)
    assert past["due_at_local"] == "2026-06-14T09:00:00+02:00"
    ahead = found[occurrence_key(day("2026-12-24"), person.person_id, "anniversary")]
    assert (ahead["state"], ahead["due_at"]) == ("expected", "2026-12-24T08:00:00Z")
    assert occurrence_key(day("2027-06-14"), person.person_id, "birthday") in found


async def test_who_opted_out_sees_the_reason(world: World, ask: Ask) -> None:
    person = a_recipient(birthday="1990-12-24", opt_outs=("birthday",))
    await world.project(person)
    _, document = await ask(f"/v1/users/{person.person_id}/occurrences")
    assert [(one["state"], one["reason"]) for one in document["items"]] == [
        ("not_owed", "opted_out")
    ]


async def test_messages_set_aside_are_listed_without_their_bodies_and_redriven(
    world: World, ask: Ask
) -> None:
    message = SetAside(
        id=new_id(),
        queue="planner.users.v1",
        type="user.changed.v1",
        reason="malformed",
        body=b'[{"email":"ada@example.com"}]',
        items=1,
    )
    await keep_aside(world.pool, [message])
    _, document = await ask("/v1/set-aside")
    assert [one["reason"] for one in document["items"]] == ["malformed"]
    assert "example.com" not in str(document)
    path = f"/v1/set-aside/{message.id}/redrive"
    assert (await ask(path, method="POST", token=READER_TOKEN))[0] == 403
    assert await ask(path, method="POST") == (200, {"id": str(message.id)})
    assert (await ask(path, method="POST"))[0] == 404
    assert await list_aside(world.pool, after=None, limit=1) == []


@pytest.mark.parametrize(
    ("path", "params", "status", "code"),
    [
        pytest.param("/v1/plans/2026-06-14", {}, 404, "not_found", id="not open yet"),
        pytest.param("/v1/plans/yesterday", {}, 404, "not_found", id="no date"),
        pytest.param(
            "/v1/plans",
            {"from": "2026-06-02", "to": "2026-06-01"},
            422,
            "validation_failed",
            id="wrong order",
        ),
        pytest.param(
            "/v1/plans",
            {"from": "2026-01-01", "to": "2026-12-31"},
            422,
            "validation_failed",
            id="too long",
        ),
        pytest.param("/v1/plans", {"from": "soon"}, 422, "validation_failed", id="no dates"),
        pytest.param("/v1/users/1/occurrences", {}, 404, "not_found", id="no uuid"),
        pytest.param(f"/v1/users/{new_id()}/occurrences", {}, 404, "not_found", id="nobody"),
        pytest.param("/v1/set-aside", {"cursor": "x"}, 400, "bad_cursor", id="bad cursor"),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(
    ask: Ask, path: str, params: dict[str, str], status: int, code: str
) -> None:
    answer, document = await ask(path, **params)
    assert (answer, document["code"]) == (status, code)


@pytest.mark.parametrize(
    "path",
    [
        "/v1/plans/2026-06-14",
        "/v1/plans",
        "/v1/plans/2026-06-14/progress",
        f"/v1/users/{new_id()}/occurrences",
        "/v1/set-aside",
    ],
)
async def test_every_question_needs_the_right_scope(ask: Ask, path: str) -> None:
    assert (await ask(path, token=OTHER_TOKEN))[0] == 403
    assert (await ask(path, token="nobody.secret"))[0] == 401
