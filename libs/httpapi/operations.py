"""What operators ask every process: is it alive, is it ready, what does it count.

Without Litestar: a process without the role ``api`` answers nothing else, and holds 20 MiB less
when it does not import what only an API needs.
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from libs.runtime.health import Health, Report
from libs.telemetry.metrics import exposition

Scope = Any
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Serve = Callable[[Scope, Receive, Send], Awaitable[None]]
"""An ASGI application; the types of Litestar's are not at hand here."""

PATHS: Final = ("/health/live", "/health/ready", "/metrics")

_JSON: Final = "application/json"


class Operations:
    """Answers ``GET`` of ``PATHS``, which need no key; everything else is for ``others``."""

    def __init__(self, health: Health, others: Serve) -> None:
        self._health = health
        self._others = others

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or pass the request on."""
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] in PATHS:
            scope["path_template"] = scope["path"]
            await _answer(send, *await self._found(scope["path"]))
        else:
            await self._others(scope, receive, send)

    async def _found(self, path: str) -> tuple[int, str, bytes]:
        if path == "/metrics":
            body, content_type = exposition()
            return 200, content_type, body
        return _told(await (self._health.live() if path.endswith("live") else self._health.ready()))


def operations_alone(health: Health) -> Operations:
    """Return the application of a process without an API."""
    return Operations(health, _nothing_here)


async def _nothing_here(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001
    await _answer(send, 404, _JSON, b'{"status":404,"title":"This process serves no API"}')


def _told(report: Report) -> tuple[int, str, bytes]:
    return 200 if report.is_ok else 503, _JSON, msgspec.json.encode(report)


async def _answer(send: Send, status: int, content_type: str, body: bytes) -> None:
    headers = {"content-type": content_type, "content-length": str(len(body)), **_NOT_STORED}
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body, "more_body": False})


_NOT_STORED: Final = {"cache-control": "no-store"}
