"""A whole system of its own for one test: databases, virtual host, inbox, processes."""

import asyncio
import contextlib
import hashlib
import json
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import asyncpg

from deploy.native import environment
from deploy.native.processes import System, free_port
from services.dispatcher import wiring as dispatcher
from services.planner import wiring as planner
from services.user import wiring as user
from tests.support.databases import fresh_database
from tests.support.vhosts import fresh_vhost

T = TypeVar("T")

SECRET = "town-" + "0" * 32
AUTHORIZATION = {"Authorization": f"Bearer town.{SECRET}"}
SCOPES = environment.SCOPES

BIRTHDAY = "2027-03-10"
BEFORE_NINE = "2027-03-10T08:00:00Z;rate=0"
"""The user service's clock where a test wants everyone to be registered in time."""


def after_nine() -> str:
    """Return a clock that shows 09:00:05 UTC of the birthday now and runs on."""
    return f"2027-03-10T09:00:05Z;rate=1;since={time.time():.3f}"


class Town:
    """One running system and the ways to talk to it."""

    def __init__(
        self, system: System, session: aiohttp.ClientSession, inbox_url: str, env: dict[str, str]
    ) -> None:
        self.system = system
        self.session = session
        self.inbox_url = inbox_url
        self.env = env
        self._roles: dict[str, tuple[str, ...]] = {}

    async def start(
        self,
        name: str,
        *,
        roles: tuple[str, ...] = (),
        env: Mapping[str, str] | None = None,
        is_awaited: bool = True,
    ) -> None:
        """Start ``services.<service>`` for a name such as ``planner-1``; wait until it is ready."""
        service = name.split("-", maxsplit=1)[0]
        self._roles[name] = roles
        await self.system.start(name, f"services.{service}", roles, env=dict(env or {}))
        if is_awaited:
            await self.system.ready(name)

    async def restart(self, name: str, *, env: Mapping[str, str] | None = None) -> None:
        """Start a process that was killed, with another environment."""
        await self.system.wait(name)
        await self.start(name, roles=self._roles[name], env=env)

    async def call(
        self,
        method: str,
        process: str,
        path: str,
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return status and decoded body of one request to a process."""
        url = self.system.url(process) + path
        async with self.session.request(
            method, url, json=body, headers=AUTHORIZATION | dict(headers or {})
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def register(self, number: int, process: str = "user", **fields: Any) -> str:
        """Register a person whose birthday is today, in UTC, and return the id."""
        person = {
            "first_name": "Ada",
            "last_name": f"Number {number}",
            "email": f"ada{number}@example.com",
            "timezone": "UTC",
            "birthday": f"1990-{BIRTHDAY[5:]}",
        } | fields
        status, body = await self.call("POST", process, "/v1/users", body=person)
        assert status == 201, body
        person_id: str = body["id"]
        return person_id

    async def mails(self) -> list[dict[str, Any]]:
        """Return every mail that arrived."""
        async with self.session.get(f"{self.inbox_url}/api/messages?limit=10000") as response:
            listed: list[dict[str, Any]] = (await response.json())["messages"]
            return listed

    async def inbox_stats(self) -> dict[str, Any]:
        """Return the inbox's counts."""
        async with self.session.get(f"{self.inbox_url}/api/stats") as response:
            counts: dict[str, Any] = await response.json()
            return counts

    async def inbox_count(self) -> int:
        """Return how many mails arrived; unlike the counts it costs the inbox nothing."""
        async with self.session.get(f"{self.inbox_url}/api/count") as response:
            count: int = (await response.json())["count"]
            return count

    async def misbehave(self, **faults: Any) -> None:
        """Tell the inbox what to do wrong."""
        async with self.session.put(f"{self.inbox_url}/control", json=faults) as response:
            assert response.status == 200, await response.text()

    async def change(self, person_id: str, *, process: str = "user", **fields: Any) -> None:
        """Change fields of a person."""
        path = f"/v1/users/{person_id}"
        status, body = await self.call("PATCH", process, path, body=fields)
        assert status == 200, body

    async def delete(self, person_id: str) -> None:
        """Delete a person."""
        status, body = await self.call("DELETE", "user", f"/v1/users/{person_id}")
        assert status in {200, 204}, body

    async def projected(self, people: int, events: int) -> None:
        """Wait until planner and dispatcher know ``people`` and have seen ``events`` of them."""
        sums = {
            "PLANNER": "SELECT count(*), coalesce(sum(version), 0) FROM recipients",
            "DISPATCHER": "SELECT count(*), coalesce(sum(version), 0) FROM contacts",
        }

        async def look() -> bool | None:
            seen = [await self.ask(service, query) for service, query in sums.items()]
            return all(tuple(row) == (people, events) for row in seen) or None

        await until(look)

    async def ask(self, service: str, query: str, *arguments: Any) -> Any:
        """Return the first row of a query in the database of ``service``."""
        connection = await asyncpg.connect(self.env[f"{service.upper()}_DATABASE_URL"])
        try:
            return await connection.fetchrow(query, *arguments)
        finally:
            await connection.close()

    async def state(self, person_id: str, day: str = BIRTHDAY) -> tuple[str, str | None]:
        """Return state and reason of a person's birthday in the plan."""
        row = await self.ask(
            "planner",
            "SELECT state, reason FROM plan WHERE person_id = $1 AND local_day = $2",
            UUID(person_id),
            date.fromisoformat(day),
        )
        return (row["state"], row["reason"]) if row else ("none", None)

    async def ledger(self, day: str = BIRTHDAY, process: str = "planner") -> dict[str, int]:
        """Return the totals of one day."""
        _, body = await self.call("GET", process, f"/v1/plans/{day}")
        totals: dict[str, int] = body["totals"]
        return totals

    async def settled(self, owed: int, *, timeout_s: float = 60) -> dict[str, int]:
        """Return the ledger once ``owed`` are in it and none of them is under way any more."""

        async def look() -> dict[str, int] | None:
            try:
                status, body = await self.call("GET", "planner", f"/v1/plans/{BIRTHDAY}")
            except aiohttp.ClientConnectorError:
                return None  # a planner that has just been started does not listen yet
            if status == 404:  # and then has not opened the day yet
                return None
            totals: dict[str, int] = body["totals"]
            under_way = totals["pending"] + totals["unknown"]
            return totals if totals["owed"] == owed and not under_way else None

        return await until(look, timeout_s=timeout_s)


async def until(look: Callable[[], Awaitable[T | None]], *, timeout_s: float = 30) -> T:
    """Return what ``look`` returns as soon as that is anything; fail after ``timeout_s``."""
    async with asyncio.timeout(timeout_s):
        while True:
            if (seen := await look()) is not None:
                return seen
            await asyncio.sleep(0.05)


def _keys_file(folder: Path) -> Path:
    path = folder / "api-keys.json"
    digest = hashlib.sha256(SECRET.encode()).hexdigest()
    path.write_text(json.dumps({"keys": [{"id": "town", "hash": digest, "scopes": SCOPES}]}))
    return path


QUICK = {
    "PLANNER_RECONCILE_AFTER_S": "2",
    "DISPATCHER_LEASE_S": "3",
    "DISPATCHER_PROVIDER_TIMEOUT_S": "2",
    "DISPATCHER_LOOKUP_DELAY_S": "0.5",
    "DISPATCHER_SETTLE_EVERY_S": "0.2",
}
"""Waits that are minutes in earnest."""


@contextlib.asynccontextmanager
async def a_town(
    pg_url: str,
    amqp_url: str,
    amqp_api: str,
    folder: Path,
    *,
    inbox_options: tuple[str, ...] = (),
    is_quick: bool = True,
) -> AsyncIterator[Town]:
    """Yield a system with its servers and inbox up and no service started yet.

    ``is_quick`` shortens the waits after a failure; otherwise every setting has its default.
    """
    smtp_port, http_port = free_port(), free_port()
    inbox_url = f"http://127.0.0.1:{http_port}"
    async with contextlib.AsyncExitStack() as stack:
        databases = {
            service: await stack.enter_async_context(fresh_database(pg_url, *packages))
            for service, packages in (
                ("user", user.MIGRATIONS),
                ("planner", planner.MIGRATIONS),
                ("dispatcher", dispatcher.MIGRATIONS),
            )
        }
        vhost = await stack.enter_async_context(fresh_vhost(amqp_url, amqp_api))
        env = _environment(databases, vhost, _keys_file(folder))
        env |= QUICK if is_quick else {}
        env |= {
            "DISPATCHER_PROVIDER": "smtp",
            "DISPATCHER_PROVIDER_URL": (
                f"smtp://127.0.0.1:{smtp_port}?lookup={inbox_url}/api/messages"
            ),
            "INBOX_SMTP_PORT": str(smtp_port),
            "INBOX_HTTP_PORT": str(http_port),
        }
        system = await stack.enter_async_context(System(folder, os.environ | env))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        await system.start("inbox", "deploy.demo.inbox", inbox_options, port=http_port)
        await system.ready("inbox")
        yield Town(system, session, inbox_url, env)


def _environment(databases: Mapping[str, str], vhost: str, keys: Path) -> dict[str, str]:
    env = {"JUBILEE_ENV": "development", "JUBILEE_CLOCK": after_nine()}
    for service, url in databases.items():
        prefix = service.upper()
        env |= {
            f"{prefix}_DATABASE_URL": url,
            f"{prefix}_BROKER_URL": vhost,
            f"{prefix}_HTTP_HOST": "127.0.0.1",
            f"{prefix}_API_KEYS_FILE": str(keys),
        }
    return env
