"""Answers a repeated write as it was answered first, whatever the route.

The key is taken before the write and the answer kept after it. Should the process die in between,
the key is free again after ``BEGUN_MAX_S`` and the repetition runs: so every write behind it asks
for a state (paused, settled, suppressed) that it finds already there, and does nothing twice.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any, Final

import msgspec
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

from libs.httpapi.answers.forgetting import KEPT
from libs.httpapi.answers.sql import SQL
from libs.httpapi.auth import is_write
from libs.httpapi.bodies import MAX_BODY_BYTES
from libs.httpapi.idempotency import HEADER, WRITING, check_key, fingerprint, in_progress, reused
from libs.httpapi.problems import (
    RETRY_AFTER_S,
    UNAVAILABLE,
    Problem,
    refuse,
    standard_problem,
)
from libs.postgres.types import Pool, Record
from libs.telemetry.metrics import declare_counter

logger = logging.getLogger(__name__)

BEGUN_MAX_S: Final = 120.0
"""Longer than any request lasts."""
MAX_ANSWER_BYTES: Final = 256 * 1024
ACQUIRE_TIMEOUT_S: Final = 2.0

_HEADER: Final = HEADER.lower().encode()
_FORGOTTEN_AT_A_TIME: Final = 20
_REPEATED: Final = frozenset({b"content-type", b"etag", b"location", b"link"})

ANSWERS_REPLAYED: Final = declare_counter(
    "jubilee_answers_replayed_total",
    "Writes answered again from their idempotency key, outside of the user service.",
)


class Answers:
    """The answers of one service, kept in its database."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def begin(self, caller: str, key: str, request_hash: bytes) -> Record | None:
        """Take the key for this request; None if it may go on, else what was answered.

        Raises:
            Problem: 422 when the key came with another request, 409 when that is under way.
        """
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            if await connection.fetchval(SQL.begin, caller, key, request_hash, BEGUN_MAX_S):
                return None
            known = await connection.fetchrow(SQL.recall, caller, key)
        if known is None:  # given up at this moment
            raise in_progress()
        if known["request_hash"] != request_hash:
            raise reused()
        if known["status"] is None:
            raise in_progress()
        return known

    async def remember(self, caller: str, key: str, answer: "Answer") -> None:
        """Keep ``answer`` for whoever repeats the request; forget some that are old."""
        headers = msgspec.json.encode(answer.headers).decode()
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            await connection.execute(
                SQL.remember, caller, key, answer.status, headers, bytes(answer.body)
            )
            await connection.execute(SQL.forget_old, KEPT.total_seconds(), _FORGOTTEN_AT_A_TIME)

    async def give_up(self, caller: str, key: str) -> None:
        """Free the key: the request came to nothing."""
        async with self._pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            await connection.execute(SQL.give_up, caller, key)


class Answer:
    """Holds an answer back until it is whole, so that nobody has it before it is remembered."""

    def __init__(self, send: Send, keep: Callable[["Answer"], Awaitable[None]]) -> None:
        self._send = send
        self._keep = keep
        self._held: list[Message] = []
        self._is_let_go = False
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = bytearray()

    @property
    def is_success(self) -> bool:
        """Whether something was done that must not be done again."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    async def send(self, message: Message) -> None:
        """Hold ``message``, or pass it on if the answer grows too large to be remembered."""
        if self._is_let_go:
            await self._send(message)
            return
        self._held.append(message)
        if message["type"] == "http.response.start":
            self.status = message["status"]
            named = [(name, value) for name, value in message["headers"] if name in _REPEATED]
            self.headers = {name.decode(): value.decode("latin-1") for name, value in named}
        elif message["type"] == "http.response.body":
            self.body += message.get("body", b"")
            if not message.get("more_body", False):
                await self._keep(self)
                await self._let_go()
            elif len(self.body) > MAX_ANSWER_BYTES:
                await self._let_go()

    async def _let_go(self) -> None:
        self._is_let_go = True
        for message in self._held:
            await self._send(message)


class Remembering:
    """Gives the first answer again to writes that repeat an ``Idempotency-Key``."""

    def __init__(self, app: ASGIApp, answers: Answers) -> None:
        self._app = app
        self._answers = answers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless it was answered before or its key is refused."""
        if scope["type"] != ScopeType.HTTP or scope["method"] not in WRITING:
            await self._app(scope, receive, send)
            return
        given = dict(scope["headers"]).get(_HEADER)
        caller = scope["state"].get("caller")
        if given is None or caller is None:
            await self._app(scope, receive, send)
            return
        try:
            key = check_key(given.decode("latin-1"))
            await self._once(scope, receive, send, name=(caller.key_id, key))
        except Problem as problem:
            await refuse(scope, send, problem)

    async def _once(
        self, scope: HTTPScope, receive: Receive, send: Send, *, name: tuple[str, str]
    ) -> None:
        body, is_whole = await _read(receive)
        if not is_whole:
            # Beyond the limit: the route refuses it, or takes a stream, which is not repeated.
            await self._app(scope, _again(body, receive), send)
            return
        known = await self._begin(name, _fingerprint_of(scope, body))
        if known is not None:
            await _replay(known, send)
            return

        async def keep(answer: Answer) -> None:
            is_done = answer.is_success and is_write(scope.get("route_handler"))
            await self._end(name, answer if is_done else None)

        await self._app(scope, _again(body, receive), Answer(send, keep).send)

    async def _begin(self, name: tuple[str, str], request_hash: bytes) -> Record | None:
        try:
            return await self._answers.begin(*name, request_hash)
        except UNAVAILABLE as error:
            logger.warning("answers.unavailable", extra={"reason": type(error).__name__})
            raise standard_problem(503, Retry_After=str(RETRY_AFTER_S)) from error

    async def _end(self, name: tuple[str, str], answer: Answer | None) -> None:
        try:
            if answer is None:
                await self._answers.give_up(*name)
            else:
                await self._answers.remember(*name, answer)
        except UNAVAILABLE as error:
            # What was done is done, and its answer goes out; a repetition waits for BEGUN_MAX_S.
            logger.warning("answers.unavailable", extra={"reason": type(error).__name__})


async def _read(receive: Receive) -> tuple[list[Message], bool]:
    """Return the pieces of the body; False where it goes on beyond what routes take."""
    pieces: list[Message] = []
    total = 0
    while total <= MAX_BODY_BYTES:
        message: Any = await receive()
        pieces.append(message)
        total += len(message.get("body", b""))
        if not message.get("more_body", False):
            return pieces, True
    return pieces, False


def _again(pieces: Sequence[Message], receive: Receive) -> Receive:
    """Return what gives the pieces once more, and then what comes next."""
    left = list(pieces)

    async def receive_again() -> Any:
        return left.pop(0) if left else await receive()

    return receive_again


def _fingerprint_of(scope: HTTPScope, pieces: Sequence[Any]) -> bytes:
    query = scope["query_string"].decode("latin-1")
    path = f"{scope['path']}?{query}" if query else scope["path"]
    body = b"".join(piece.get("body", b"") for piece in pieces)
    return fingerprint(scope["method"], path, body)


async def _replay(known: Record, send: Send) -> None:
    headers = msgspec.json.decode(known["headers"], type=dict[str, str])
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    if known["body"]:
        raw.append((b"content-length", b"%d" % len(known["body"])))
    ANSWERS_REPLAYED.add()
    await send({"type": "http.response.start", "status": known["status"], "headers": raw})
    await send({"type": "http.response.body", "body": known["body"], "more_body": False})
