"""The user service's hops: one registration, one batch of an import."""

import json
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.kinds import KINDS
from libs.clock import FrozenClock
from libs.eventstore.sealing import KeyRing, new_key
from libs.httpapi.keys import ApiKeys
from libs.httpapi.keys import new_key as new_api_key
from libs.runtime.health import Health
from services.user.adapters.store import Store
from services.user.entrypoints.api import create_api
from services.user.entrypoints.person_routes import Terms
from services.user.wiring import MIGRATIONS
from tests.guard.hop import Hop, Work, a_database, keep_still

REGISTERED = 40
IMPORTED = 500
_NOW = datetime(2027, 3, 8, tzinfo=UTC)
_PIECE_BYTES = 64 * 1024


async def user_hops(pg_url: str) -> AsyncGenerator[Hop, None]:
    """Yield the hops over one database; each request goes through the whole application."""
    async with a_database(pg_url, *MIGRATIONS) as pool:
        await keep_still(pool)
        key, token = new_api_key("guard", ["users:write"])
        app = create_api(
            store=Store(pool, KeyRing(new_key())),
            clock=FrozenClock(_NOW),
            terms=Terms(frozenset(KINDS), timedelta(days=30)),
            import_batch_lines=IMPORTED,
            auth=ApiKeys([key]),
            health=Health(),
        )
        client = _Client(app, token)

        async def register(number: int) -> Work:
            bodies = [_person(f"one-{number}-{place}") for place in range(REGISTERED)]

            async def work() -> None:
                for place, body in enumerate(bodies):
                    await client.post(
                        "/v1/users", body, type_="application/json", key=f"{number}-{place}"
                    )

            return work

        async def import_batch(number: int) -> Work:
            body = b"\n".join(_person(f"many-{number}-{place}") for place in range(IMPORTED))

            async def work() -> None:
                answer = await client.post(
                    "/v1/users/import", body, type_="application/x-ndjson", key=f"import-{number}"
                )
                if answer.count(b'"created"') != IMPORTED:
                    raise RuntimeError(f"not imported: {answer[:200]!r}")

            return work

        yield Hop("import", IMPORTED, pool, import_batch)
        yield Hop("register", REGISTERED, pool, register)


def _person(name: str) -> bytes:
    return json.dumps({
        "first_name": "Ada",
        "last_name": f"Number {name}",
        "email": f"{name}@example.com",
        "timezone": "Europe/Berlin",
        "birthday": "1990-03-10",
        "external_id": name,
    }).encode()  # fmt: skip


class _Client:
    """Calls the application without a network between."""

    def __init__(self, app: Any, token: str) -> None:
        self._app = app
        self._token = token

    async def post(self, path: str, body: bytes, *, type_: str, key: str) -> bytes:
        """Return the body of the answer.

        Raises:
            RuntimeError: the answer is a refusal.
        """
        pieces = [body[at : at + _PIECE_BYTES] for at in range(0, len(body), _PIECE_BYTES)]
        received: list[bytes] = []

        async def receive() -> dict[str, Any]:
            return {
                "type": "http.request",
                "body": pieces.pop(0) if pieces else b"",
                "more_body": bool(pieces),
            }

        async def send(event: Mapping[str, Any]) -> None:
            if event["type"] == "http.response.start" and event["status"] >= 400:
                raise RuntimeError(f"{path} answered {event['status']}")
            received.append(event.get("body", b""))

        await self._app(self._scope(path, len(body), type_, key), receive, send)
        return b"".join(received)

    def _scope(self, path: str, length: int, type_: str, key: str) -> dict[str, Any]:
        headers = {
            "authorization": f"Bearer {self._token}",
            "content-length": str(length),
            "content-type": type_,
            "host": "127.0.0.1",
            "idempotency-key": key,
        }
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
            "client": ("127.0.0.1", 50_000),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
