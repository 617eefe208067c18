"""Answers above 1 KiB are compressed with zstd, brotli or gzip, whichever the client likes best."""

import gzip
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final

import brotli  # type: ignore[import-untyped]
import zstandard
from litestar.enums import ScopeType
from litestar.types import ASGIApp, Message, Receive, Scope, Send

MIN_BYTES: Final = 1024

_COMPRESS: Final[Mapping[str, Callable[[bytes], bytes]]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=3).compress(body),
    "br": lambda body: bytes(brotli.compress(body, quality=4)),
    "gzip": lambda body: gzip.compress(body, compresslevel=6, mtime=0),
}
"""In our order of preference, which counts where the client has none."""
_COMPRESSIBLE: Final = (b"application/json", b"application/problem+json", b"text/", b"image/svg")


class Compressed:
    """Compresses answers that are sent in one piece; streams pass as they are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] == ScopeType.HTTP:
            accepted = dict(scope["headers"]).get(b"accept-encoding", b"").decode("latin-1")
            send = _Compressing(send, preferred_encoding(accepted))
        await self._app(scope, receive, send)


class _Compressing:
    """Holds the head of the answer back until its first piece shows how large it is."""

    def __init__(self, send: Send, encoding: str | None) -> None:
        self._send = send
        self._encoding = encoding
        self._head: Any = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._head = message
            return
        if self._head is not None and message["type"] == "http.response.body":
            head, self._head = self._head, None
            message = _with_body(head, message, self._encoding)
            await self._send(head)
        await self._send(message)


@lru_cache(maxsize=256)
def preferred_encoding(accepted: str) -> str | None:
    """Return the best of our encodings that the ``Accept-Encoding`` header allows, or None."""
    weights = dict(map(_weighed, filter(str.strip, accepted.lower().split(","))))
    usable = {name: weights.get(name, weights.get("*", 0.0)) for name in _COMPRESS}
    best = max(usable, key=lambda name: usable[name])
    is_wanted = 0 < usable[best] >= weights.get("identity", 0.0)
    return best if is_wanted else None


def _weighed(entry: str) -> tuple[str, float]:
    name, _, weight = entry.partition(";")
    _, _, number = weight.partition("q=")
    try:
        return name.strip(), float(number) if number else 1.0
    except ValueError:
        return name.strip(), 0.0


def _with_body(head: Any, message: Any, encoding: str | None) -> Any:
    body: bytes = message.get("body", b"")
    headers = dict(head["headers"])
    is_eligible = (
        not message.get("more_body", False)
        and len(body) >= MIN_BYTES
        and b"content-encoding" not in headers
        and headers.get(b"content-type", b"").startswith(_COMPRESSIBLE)
    )
    if not is_eligible:
        return message
    head["headers"] = [*head["headers"], (b"vary", b"accept-encoding")]
    if encoding is None:
        return message
    body = _COMPRESS[encoding](body)
    kept = [(name, value) for name, value in head["headers"] if name != b"content-length"]
    added = [(b"content-encoding", encoding.encode()), (b"content-length", b"%d" % len(body))]
    head["headers"] = kept + added
    return {**message, "body": body}
