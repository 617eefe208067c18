"""``GET /v1/events``: everybody's events, from any position, as pages and as a stream."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest

from contracts import codec
from libs.clock import FrozenClock
from libs.httpapi import event_stream
from libs.httpapi.keys import ApiKeys, new_key
from libs.runtime.health import Health
from libs.runtime.stopping import Stopping, set_current
from services.user.adapters.store import Store
from services.user.app.remove import delete, erase
from services.user.entrypoints.api import create_api
from services.user.entrypoints.person_routes import Terms
from tests.integration.user.asking import ORIGIN, queued_events, registered
from tests.support.people import KINDS, NOW
from tests.support.serving import serving

FOLLOWER, TOKEN = new_key("follower", ["events:read"])
READER, READER_TOKEN = new_key("reader", ["users:read"])


@pytest.fixture
def stopping() -> Stopping:
    """Return what drains the API of a test."""
    return Stopping()


@pytest.fixture
async def client(
    store: Store, clock: FrozenClock, stopping: Stopping
) -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client that may read events."""
    set_current(stopping)
    app = create_api(
        store=store,
        clock=clock,
        terms=Terms(KINDS, timedelta(days=30)),
        import_batch_lines=50,
        auth=ApiKeys([FOLLOWER, READER]),
        health=Health(),
    )
    async with serving(app, token=TOKEN) as session:
        yield session
        stopping.begin("the test is over")


async def page(client: aiohttp.ClientSession, **params: Any) -> dict[str, Any]:
    async with client.get("/v1/events", params=params) as answer:
        assert answer.status == 200, await answer.text()
        document: dict[str, Any] = await answer.json()
        return document


async def all_events(client: aiohttp.ClientSession, **params: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    has_more = True
    while has_more:
        part = await page(client, **params)
        found += part["events"]
        params["after"], has_more = part["next"], part["has_more"]
    return found


async def test_the_feed_tells_exactly_what_goes_to_the_broker(
    store: Store, client: aiohttp.ClientSession
) -> None:
    ada = await registered(store, email="ada@example.com")
    await registered(store, email="bob@example.com")
    await delete(store, ada.id, origin=ORIGIN, now=NOW)
    told = await all_events(client, limit=2)
    queued = await queued_events(store)
    assert [event["id"] for event in told] == [event.id for event in queued]
    assert told == [json.loads(codec.encode_items([event])) for event in queued]


async def test_erased_people_appear_only_as_erased(
    store: Store, client: aiohttp.ClientSession
) -> None:
    ada = await registered(store, email="ada@example.com")
    bob = await registered(store, email="bob@example.com")
    await erase(store, ada.id, origin=ORIGIN, now=NOW)
    told = [(event["subject"], event["type"]) for event in await all_events(client, limit=1)]
    assert told == [(str(bob.id), "user.registered.v1"), (str(ada.id), "user.erased.v1")]


async def test_only_the_types_asked_for_are_told(
    store: Store, client: aiohttp.ClientSession
) -> None:
    ada = await registered(store, email="ada@example.com")
    await registered(store, email="bob@example.com")
    await delete(store, ada.id, origin=ORIGIN, now=NOW)
    told = await all_events(client, type="user.deleted.v1", limit=1)
    assert [event["id"] for event in told] == [f"{ada.id}/2"]


async def test_nothing_new_leaves_the_position_where_it_was(
    store: Store, client: aiohttp.ClientSession
) -> None:
    assert await page(client) == {"events": [], "next": None, "has_more": False}
    await registered(store)
    first = await page(client)
    again = await page(client, after=first["next"])
    assert again == {"events": [], "next": first["next"], "has_more": False}


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        pytest.param("after=x", 400, "bad_position", id="no position"),
        pytest.param("after=-1", 400, "bad_position", id="negative"),
        pytest.param("limit=5001", 422, "validation_failed", id="too many"),
        pytest.param("limit=0", 422, "validation_failed", id="none"),
    ],
)
async def test_what_cannot_be_understood_is_refused(
    client: aiohttp.ClientSession, query: str, status: int, code: str
) -> None:
    async with client.get(f"/v1/events?{query}") as answer:
        assert (answer.status, (await answer.json(content_type=None))["code"]) == (status, code)


async def test_who_may_only_read_people_may_not_read_events(client: aiohttp.ClientSession) -> None:
    headers = {"authorization": f"Bearer {READER_TOKEN}"}
    async with client.get("/v1/events", headers=headers) as answer:
        assert answer.status == 403


class Following:
    """A client of the stream."""

    def __init__(self, answer: aiohttp.ClientResponse) -> None:
        self.answer = answer

    async def next(self, *, within_s: float = 5.0) -> dict[str, str]:
        """Return the next event's fields; comments are passed over."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(within_s):
            while line := (await self.answer.content.readline()).decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if name and not line.startswith(":"):
                    fields[name] = value
                elif not line.strip() and fields:
                    return fields
        raise EOFError


SSE = {"accept": "text/event-stream"}


async def test_the_stream_tells_what_was_and_within_a_second_what_happens(
    store: Store, client: aiohttp.ClientSession
) -> None:
    ada = await registered(store, email="ada@example.com")
    async with client.get("/v1/events", headers=SSE) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert "content-encoding" not in answer.headers
        stream = Following(answer)
        first = await stream.next()
        assert first["event"] == "user.registered.v1"
        assert f"{ada.id}/1" in first["data"]
        bob = await registered(store, email="bob@example.com")
        started_s = time.monotonic()
        assert f"{bob.id}/1" in (await stream.next())["data"]
        assert time.monotonic() - started_s < 1.0


async def test_a_stream_resumes_after_the_last_event_it_has_seen(
    store: Store, client: aiohttp.ClientSession
) -> None:
    for name in ("ada", "bob"):
        await registered(store, email=f"{name}@example.com")
    async with client.get("/v1/events", headers=SSE) as answer:
        first = await Following(answer).next()
    headers = SSE | {"last-event-id": first["id"]}
    async with client.get("/v1/events", headers=headers) as answer:
        assert "bob@example.com" in (await Following(answer).next())["data"]


async def test_a_silent_stream_says_that_it_lives(
    client: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(event_stream, "LOOK_AGAIN_S", 0.02)
    async with client.get("/v1/events", headers=SSE) as answer, asyncio.timeout(5):
        while await answer.content.readline() != b": heartbeat\n":
            pass


async def test_streams_end_in_order_when_the_process_drains(
    client: aiohttp.ClientSession, stopping: Stopping
) -> None:
    async with client.get("/v1/events", headers=SSE) as answer:
        await answer.content.readline()
        stopping.begin("test")
        async with asyncio.timeout(2):
            rest = await answer.content.read()
    assert rest.endswith(b": the server is about to stop, connect again\n\n")


async def test_there_are_never_more_streams_than_places(client: aiohttp.ClientSession) -> None:
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(event_stream.MAX_STREAMS):
            answer = await stack.enter_async_context(client.get("/v1/events", headers=SSE))
            await answer.content.readline()
        async with client.get("/v1/events", headers=SSE) as refused:
            assert (refused.status, refused.headers["retry-after"]) == (503, "2")
    async with asyncio.timeout(5):
        while await status_of_a_stream(client) == 503:
            pass


async def status_of_a_stream(client: aiohttp.ClientSession) -> int:
    async with client.get("/v1/events", headers=SSE) as answer:
        return answer.status
