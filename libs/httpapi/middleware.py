"""What happens around every request: its id, span and duration, limits and compression."""

import asyncio
import re
from collections.abc import Mapping
from typing import Any, Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send
from opentelemetry.trace import Span

from libs.clock import monotonic_s
from libs.httpapi.problems import refuse, standard_problem
from libs.ids import new_id
from libs.telemetry.metrics import HTTP_SECONDS, HTTP_UNDER_WAY
from libs.telemetry.tracing import is_tracing, span

MAX_UNDER_WAY: Final = 512
"""Requests answered at the same time; more of them would only wait for the same pool."""
BODY_PAUSE_S: Final = 10.0
"""Longest wait for the next piece of a body: whoever dribbles must not hold a place."""

_REQUEST_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class Observed:
    """Gives each request an id, a server span named after its route, and a measured time."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on; other protocols go through untouched."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = _request_id(headers)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["request_id"] = request_id.decode()
        answer = _Answer(send, request_id, state)
        started_s = monotonic_s()
        HTTP_UNDER_WAY.add(1)
        try:
            await self._traced(headers, scope, receive=receive, answer=answer)
        finally:
            HTTP_UNDER_WAY.add(-1)
            labels = {"method": str(scope["method"]), "route": _route(scope)}
            seconds = monotonic_s() - started_s
            HTTP_SECONDS.observe(seconds, status=answer.status_class, **labels)

    async def _traced(
        self,
        headers: Mapping[bytes, bytes],
        scope: HTTPScope,
        *,
        receive: Receive,
        answer: "_Answer",
    ) -> None:
        parent = headers.get(b"traceparent")
        if parent is None and not is_tracing():
            await self._app(scope, receive, answer.send)
            return
        origin = parent.decode("latin-1") if parent else None
        with span(str(scope["method"]), kind="server", parent=origin, is_root=True) as current:
            await self._app(scope, receive, answer.send)
            _describe(current, scope, answer)


class _Answer:
    """Sees the answer pass by, and adds what every answer tells: ``state.told`` if it is there."""

    def __init__(self, send: Send, request_id: bytes, state: Mapping[str, Any]) -> None:
        self._send = send
        self._state = state
        self.request_id = request_id
        self.status: int | None = None

    @property
    def status_class(self) -> str:
        return f"{self.status // 100}xx" if self.status else "gone"

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            common = [(b"x-request-id", self.request_id), (b"x-content-type-options", b"nosniff")]
            told = self._state.get("told", ())
            message["headers"] = [*message["headers"], *common, *told]
        await self._send(message)


class Limited:
    """Refuses what would be too much at once, or comes too slowly."""

    def __init__(self, app: ASGIApp, *, max_under_way: int = MAX_UNDER_WAY) -> None:
        self._app = app
        self._max_under_way = max_under_way
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 503 beyond the limit and 400 for NUL."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
        elif self._under_way >= self._max_under_way:
            await refuse(scope, send, standard_problem(503, Retry_After="1"))
        elif b"%00" in scope["query_string"] or "\0" in scope["path"]:
            await refuse(scope, send, standard_problem(400, "NUL is not allowed in a URL"))
        else:
            await self._counted(scope, receive, send)

    async def _counted(self, scope: HTTPScope, receive: Receive, send: Send) -> None:
        is_read = scope["method"] not in _WITH_BODY
        self._under_way += 1
        try:
            await self._app(scope, receive if is_read else _impatient(receive), send)
        finally:
            self._under_way -= 1


def _impatient(receive: Receive) -> Receive:
    is_complete = False

    async def receive_in_time() -> Any:
        nonlocal is_complete
        if is_complete:  # what comes now is the news that the client has gone; it may take long
            return await receive()
        try:
            async with asyncio.timeout(BODY_PAUSE_S):
                message = await receive()
        except TimeoutError:
            raise standard_problem(408, Connection="close") from None
        is_complete = not message.get("more_body", False)
        return message

    return receive_in_time


def _request_id(headers: Mapping[bytes, bytes]) -> bytes:
    given = headers.get(b"x-request-id", b"")
    return given if _REQUEST_ID.fullmatch(given) else new_id().hex.encode()


def _route(scope: HTTPScope) -> str:
    return str(scope.get("path_template") or "unmatched")


def _describe(current: Span, scope: HTTPScope, answer: _Answer) -> None:
    if not current.is_recording():
        return
    route = _route(scope)
    current.update_name(f"{scope['method']} {route}")
    current.set_attribute("http.request.method", str(scope["method"]))
    current.set_attribute("http.route", route)
    current.set_attribute("http.response.status_code", answer.status or 0)
    current.set_attribute("jubilee.request_id", answer.request_id.decode())
