"""A small, fast HTTP/1.1 server: a plain function answers whole requests, late or never."""

import asyncio
from collections import deque
from collections.abc import Callable
from http import HTTPStatus
from typing import Literal, cast
from urllib.parse import parse_qs

import httptools
import msgspec

MAX_BODY_BYTES = 64 * 1024 * 1024


class Request(msgspec.Struct, gc=False):
    """One whole request; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes

    def parameter(self, name: str, default: str = "") -> str:
        """Return the first value of a query parameter."""
        return parse_qs(self.query).get(name, [default])[0]


class Answer(msgspec.Struct, gc=False):
    """What goes back, after ``delay_s``; or nothing at all, or a cut connection."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()
    delay_s: float = 0.0
    fate: Literal["send", "hang", "drop"] = "send"


Answerer = Callable[[Request], Answer]


class HttpSession(asyncio.Protocol):
    """One client's connection. Requests are answered in their order, one at a time."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._waiting: deque[tuple[Request, bool]] = deque()
        self._is_busy = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Get ready for the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._parser = httptools.HttpRequestParser(self)
        self._start()

    def data_received(self, data: bytes) -> None:
        """Parse what came; a malformed request ends the connection."""
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._send(Answer(status=400), keep_alive=False)

    def on_url(self, url: bytes) -> None:
        """Collect the target; called by the parser."""
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header and let a client that asks first go on; called by the parser."""
        self._headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        """Tell a client that waits for permission to go on; called by the parser."""
        if self._headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """Collect a piece of the body; called by the parser."""
        self._body += body
        if len(self._body) > MAX_BODY_BYTES:
            self._transport.abort()

    def on_message_complete(self) -> None:
        """Queue the whole request; called by the parser."""
        target = httptools.parse_url(self._url)
        request = Request(
            method=self._parser.get_method().decode(),
            path=target.path.decode(),
            query=(target.query or b"").decode(),
            headers=self._headers,
            body=bytes(self._body),
        )
        self._waiting.append((request, self._parser.should_keep_alive()))
        self._start()
        self._proceed()

    def _start(self) -> None:
        self._url = b""
        self._headers: dict[str, str] = {}
        self._body = bytearray()

    def _proceed(self) -> None:
        while self._waiting and not self._is_busy and not self._transport.is_closing():
            request, keep_alive = self._waiting.popleft()
            answer = self._answer(request)
            if answer.fate == "drop":
                self._transport.abort()
            elif answer.fate == "hang":
                self._is_busy = True
            elif answer.delay_s:
                self._is_busy = True
                later = asyncio.get_running_loop().call_later
                later(answer.delay_s, self._send_late, answer, keep_alive)
            else:
                self._send(answer, keep_alive=keep_alive)

    def _send_late(self, answer: Answer, keep_alive: bool) -> None:
        self._is_busy = False
        self._send(answer, keep_alive=keep_alive)
        self._proceed()

    def _send(self, answer: Answer, *, keep_alive: bool) -> None:
        if self._transport.is_closing():
            return
        more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
        if not keep_alive:
            more += "Connection: close\r\n"
        head = (
            f"HTTP/1.1 {answer.status} {HTTPStatus(answer.status).phrase}\r\n"
            f"Content-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(answer.body)}\r\n{more}\r\n"
        )
        self._transport.write(head.encode("latin-1") + answer.body)
        if not keep_alive:
            self._transport.close()
