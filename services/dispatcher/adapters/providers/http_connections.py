"""Kept connections to one HTTP server: where it is, how requests to it begin, who may use them."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Mapping
from urllib.parse import unquote, urlsplit

import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.providers.http_wire import HttpWire
from services.dispatcher.adapters.providers.reasons import NotConnectedError
from services.dispatcher.domain.delivery import Deferred

IDLE_S = 3.0
"""Shorter than servers keep idle connections: one closed under a request leaves a mail unknown."""
_LONGEST_USE_S = 300.0
"""From time to time a server is looked up anew: others may stand behind its name by then."""
_CLOSING_S = 1.0
_PORTS = {"http": 80, "https": 443}
_UNREACHABLE = Deferred("unreachable")


class HttpUrlError(ValueError):
    """The provider's URL cannot be read; the text says what to write."""


class HttpTarget(msgspec.Struct, frozen=True, kw_only=True):
    """Where requests go, as the URL says. ``authority`` is the Host of every request."""

    host: str
    port: int
    is_tls: bool
    authority: str
    path: str
    credentials: str | None = None

    def head(self, method: str, path: str, headers: Mapping[str, str]) -> bytes:
        """Return how a request begins; further headers and an empty line may follow.

        An answer that is compressed is not asked for.
        """
        lines = {"Host": self.authority, "User-Agent": "jubilee", "Accept-Encoding": "identity"}
        if self.credentials is not None:
            lines["Authorization"] = f"Basic {self.credentials}"
        text = "".join(f"{name}: {value}\r\n" for name, value in (lines | dict(headers)).items())
        return f"{method} {self.path}{path} HTTP/1.1\r\n{text}".encode("ascii")


def read_http_url(url: str) -> HttpTarget:
    """Read ``http[s]://[user:password@]host[:port][/path]``.

    Raises:
        HttpUrlError: it has another form.
    """
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").encode("idna").decode("ascii")
    except ValueError as error:
        raise HttpUrlError(f"the HTTP URL: {error}") from error
    is_plain = parts.path.isascii() and parts.path.isprintable() and " " not in parts.path
    if parts.scheme not in _PORTS or not host or parts.query or parts.fragment or not is_plain:
        raise HttpUrlError("give http[s]://host:port or http[s]://host:port/path")
    name = f"[{host}]" if ":" in host else host
    return HttpTarget(
        host=host,
        port=port or _PORTS[parts.scheme],
        is_tls=parts.scheme == "https",
        authority=f"{name}:{port}" if port not in {None, _PORTS[parts.scheme]} else name,
        path=parts.path.rstrip("/"),
        credentials=_credentials(parts.username, parts.password),
    )


class HttpConnections:
    """Opens connections to ``target`` and keeps them between requests.

    As many are open as callers hold; ``opening_s`` is the longest that one may take to open.
    """

    def __init__(self, target: HttpTarget, *, opening_s: float) -> None:
        self._target = target
        self._opening_s = opening_s
        self._context = _tls_context() if target.is_tls else None
        self._idle: dict[HttpWire, asyncio.TimerHandle] = {}
        self._open_ones: dict[asyncio.Future[None], HttpWire] = {}

    async def take(self) -> HttpWire:
        """Return a connection that can be used at least once, kept or new.

        Raises:
            NotConnectedError: there is none; nothing was sent.
        """
        while self._idle:
            wire, timer = self._idle.popitem()
            timer.cancel()
            if wire.is_usable:
                return wire
            wire.close()
        wire = await self._open()
        if not wire.is_usable:
            wire.close()
            raise NotConnectedError(_UNREACHABLE)
        return wire

    def give_back(self, wire: HttpWire) -> None:
        """Keep a connection for a while, or end it."""
        is_old = monotonic_s() - wire.opened_at_s > _LONGEST_USE_S
        if is_old or not wire.is_usable:
            wire.close()
            return
        loop = asyncio.get_running_loop()
        self._idle[wire] = loop.call_later(IDLE_S, self._retire, wire)

    async def close(self) -> None:
        """End all connections; wait a moment for them to be gone, cut off those that are not."""
        for wire in list(self._idle):
            self._retire(wire)
        for wire in self._open_ones.values():
            wire.close()
        if self._open_ones:
            _, pending = await asyncio.wait(list(self._open_ones), timeout=_CLOSING_S)
            for ended in pending:
                self._open_ones[ended].abort()

    def _retire(self, wire: HttpWire) -> None:
        self._idle.pop(wire).cancel()
        wire.close()

    async def _open(self) -> HttpWire:
        try:
            return await self._connect()
        except ssl.SSLError as error:
            raise NotConnectedError(Deferred("tls_failed")) from error
        except OSError as error:
            raise NotConnectedError(_UNREACHABLE) from error

    async def _connect(self) -> HttpWire:
        """Try the server's addresses one after the other, each for its share of the time."""
        target, loop = self._target, asyncio.get_running_loop()
        last_s = monotonic_s() + self._opening_s
        async with asyncio.timeout(self._opening_s):
            found = await loop.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
        failure: OSError = OSError("no address")
        for tried, (*_, address) in enumerate(found):
            try:
                async with asyncio.timeout((last_s - monotonic_s()) / (len(found) - tried)):
                    _, wire = await loop.create_connection(
                        HttpWire,
                        str(address[0]),
                        target.port,
                        ssl=self._context,
                        server_hostname=target.host if self._context else None,
                    )
                    self._open_ones[wire.ended] = wire
                    wire.ended.add_done_callback(self._open_ones.pop)
                    return wire
            except OSError as error:
                failure = error
        raise failure


def _tls_context() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


def _credentials(user: str | None, password: str | None) -> str | None:
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}"
    return base64.b64encode(pair.encode()).decode("ascii")
