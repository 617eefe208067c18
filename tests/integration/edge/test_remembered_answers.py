"""``Idempotency-Key`` at the edge: a repeated write is answered as it was first."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from litestar import Response, delete, get, post
from litestar.params import JSONBody

from libs.httpapi.answers import remembering
from libs.httpapi.answers.forgetting import forget_old_answers
from libs.httpapi.answers.remembering import Answers
from libs.httpapi.app import create_app
from libs.httpapi.auth import require
from libs.httpapi.edge import Edge
from libs.httpapi.keys import ApiKeys, new_key
from libs.httpapi.problems import standard_problem
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.runtime.health import Health
from libs.runtime.stopping import Stopping
from tests.support.databases import fresh_database
from tests.unit.edge.calls import Answer, call

KEY, TOKEN = new_key("tester", ["ops:pause", "plans:read"])
OTHER, OTHER_TOKEN = new_key("other", ["ops:pause"])
JSON = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}


class Wish(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A body."""

    name: str
    size: int = 0


class World:
    """What the routes of a test have done."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Pool]:
    """Yield a pool on a database that only remembers answers."""
    async with (
        fresh_database(pg_url, "libs.httpapi.answers.migrations") as url,
        open_pool(url, name="test", size=4) as opened,
    ):
        yield opened


@pytest.fixture
def world() -> World:
    """Return a world in which nothing was done."""
    return World()


@pytest.fixture
def app(pool: Pool, world: World) -> Any:
    """Return an API whose writes can be counted."""

    @post("/wishes", guards=[require("ops:pause")])
    async def wish(data: JSONBody[Wish]) -> Response[dict[str, int]]:
        await world.may_go_on.wait()
        if data.name == "refused":
            raise standard_problem(404)
        world.done.append(data.name)
        return Response({"number": len(world.done)}, headers={"Location": "/wishes/1"})

    @post("/questions", guards=[require("plans:read")], status_code=200)
    async def question(data: JSONBody[Wish]) -> dict[str, int]:
        world.done.append(data.name)
        return {"number": len(world.done)}

    @delete("/wishes", guards=[require("ops:pause")], status_code=204)
    async def forget() -> None:
        world.done.append("forgotten")

    @get("/wishes", guards=[require("plans:read")])
    async def wishes() -> list[str]:
        return world.done

    return create_app(
        [wish, question, forget, wishes],
        title="Wishes",
        version="1",
        auth=ApiKeys([KEY, OTHER]),
        health=Health(Stopping()),
        edge=Edge(answers=Answers(pool)),
    )


async def ask(
    app: Any, key: str, body: bytes = b'{"name":"rain"}', *, path: str = "/wishes", **headers: str
) -> Answer:
    sent = JSON | {"idempotency-key": key} | headers
    return await call(app, "POST", path, body=body, headers=sent)


async def test_a_repeated_write_gets_the_first_answer_and_is_not_done_again(
    app: Any, world: World
) -> None:
    first, again = await ask(app, "k"), await ask(app, "k")
    assert (first.status, first.json()) == (201, {"number": 1})
    assert (again.status, again.body) == (first.status, first.body)
    assert again.headers["location"] == "/wishes/1"
    assert again.headers["content-type"] == "application/json"
    assert world.done == ["rain"]


async def test_a_write_without_content_is_repeated_too(app: Any, world: World) -> None:
    headers = JSON | {"idempotency-key": "k"}
    answers = [await call(app, "DELETE", "/wishes", headers=headers) for _ in range(2)]
    assert [answer.status for answer in answers] == [204, 204]
    assert world.done == ["forgotten"]


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'{ "size": 1,  "name": "rain" }', id="other order and white space"),
        pytest.param(b'{"name":"\\u0072ain","size":1}', id="escaped"),
    ],
)
async def test_json_that_says_the_same_is_the_same(app: Any, world: World, body: bytes) -> None:
    first = await ask(app, "k", b'{"name":"rain","size":1}')
    assert (await ask(app, "k", body)).body == first.body
    assert len(world.done) == 1


async def test_the_key_of_another_request_is_refused(app: Any, world: World) -> None:
    await ask(app, "k")
    for refused in (
        await ask(app, "k", b'{"name":"sun"}'),
        await ask(app, "k", path="/questions"),
        await ask(app, "k", path="/wishes?x=1"),
    ):
        assert (refused.status, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert world.done == ["rain"]


async def test_one_of_many_simultaneous_copies_is_done_the_others_are_told_to_wait(
    app: Any, world: World
) -> None:
    world.may_go_on.clear()
    copies = [asyncio.create_task(ask(app, "k")) for _ in range(4)]
    done, pending = await asyncio.wait(copies, timeout=1.0)
    world.may_go_on.set()
    await asyncio.wait(pending)
    assert sorted(copy.result().status for copy in copies) == [201, 409, 409, 409]
    refused = next(copy.result() for copy in done)
    assert refused.json()["code"] == "idempotency_in_progress"
    assert refused.headers["retry-after"] == "1"
    assert world.done == ["rain"]


async def test_what_was_refused_may_be_tried_again_under_the_same_key(
    app: Any, world: World
) -> None:
    body = b'{"name":"refused"}'
    assert [(await ask(app, "k", body)).status for _ in range(2)] == [404, 404]
    assert (await ask(app, "k")).status == 201
    assert world.done == ["rain"]


async def test_keys_of_different_callers_are_different(app: Any, world: World) -> None:
    await ask(app, "k")
    other = await ask(app, "k", authorization=f"Bearer {OTHER_TOKEN}")
    assert (other.status, len(world.done)) == (201, 2)


async def test_a_post_that_only_asks_is_asked_again(app: Any, pool: Pool) -> None:
    answers = [await ask(app, "k", path="/questions") for _ in range(2)]
    assert [answer.json()["number"] for answer in answers] == [1, 2]
    assert await pool.fetchval("SELECT count(*) FROM remembered_answers") == 0


@pytest.mark.parametrize("key", ["", "k" * 256, "schlüssel", "a b"])
async def test_a_malformed_key_is_refused(app: Any, world: World, key: str) -> None:
    refused = await ask(app, key)
    assert (refused.status, refused.json()["code"]) == (400, "bad_idempotency_key")
    assert world.done == []


async def test_without_a_key_every_write_is_done(app: Any, world: World) -> None:
    for _ in range(2):
        await call(app, "POST", "/wishes", body=b'{"name":"rain"}', headers=JSON)
    assert world.done == ["rain", "rain"]


async def test_who_may_not_write_leaves_nothing_behind(app: Any, pool: Pool) -> None:
    stranger = await ask(app, "k", authorization="Bearer nobody.x")
    assert stranger.status == 401
    assert await pool.fetchval("SELECT count(*) FROM remembered_answers") == 0


async def test_a_body_beyond_the_limit_is_refused_as_without_a_key(app: Any) -> None:
    refused = await ask(app, "k", b'{"name":"' + b"x" * 70_000 + b'"}')
    assert refused.status == 413


async def test_the_key_of_a_process_that_died_is_free_again_after_a_while(
    app: Any, world: World, pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask(app, "k")
    await pool.execute("UPDATE remembered_answers SET status = NULL, body = NULL")
    assert (await ask(app, "k")).status == 409
    monkeypatch.setattr(remembering, "BEGUN_MAX_S", 0.0)
    assert (await ask(app, "k")).status == 201
    assert world.done == ["rain", "rain"]


async def test_old_answers_are_forgotten_with_every_new_one(app: Any, pool: Pool) -> None:
    await ask(app, "old")
    await pool.execute("UPDATE remembered_answers SET begun_at = begun_at - interval '2 days'")
    await ask(app, "new")
    kept = await pool.fetch("SELECT key FROM remembered_answers")
    assert [row["key"] for row in kept] == ["new"]


async def test_old_answers_are_forgotten_though_nobody_writes_any_more(
    app: Any, pool: Pool
) -> None:
    await ask(app, "old")
    await forget_old_answers(pool)
    assert await pool.fetchval("SELECT count(*) FROM remembered_answers") == 1
    await pool.execute("UPDATE remembered_answers SET begun_at = begun_at - interval '25 hours'")
    await forget_old_answers(pool)
    assert await pool.fetchval("SELECT count(*) FROM remembered_answers") == 0


async def test_without_a_database_a_write_with_a_key_is_refused_for_now(
    app: Any, pool: Pool, world: World
) -> None:
    await pool.close()
    refused = await ask(app, "k")
    assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    assert world.done == []
