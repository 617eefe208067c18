"""Opens SMTP connections: greeting, EHLO, encryption, login. Whatever fails here sent nothing."""

import asyncio
import base64
import ssl
from collections.abc import Mapping

import msgspec

from services.dispatcher.adapters.providers.reasons import NotConnectedError
from services.dispatcher.adapters.providers.smtp_url import SmtpServer, SmtpUrlError
from services.dispatcher.adapters.providers.smtp_wire import (
    HungUpError,
    Reply,
    UnreadableReplyError,
    Wire,
)
from services.dispatcher.domain.delivery import Deferred

Extensions = Mapping[str, str]
"""What the server offers: the words in upper case, each with its parameters."""


class Opened(msgspec.Struct, frozen=True):
    """A connection that is ready for mails."""

    wire: Wire
    extensions: Extensions


def tls_context(server: SmtpServer) -> ssl.SSLContext:
    """Return what verifies the server: by the system's authorities, or by those in ``ca`` alone.

    Raises:
        SmtpUrlError: the file of authorities cannot be used.
    """
    try:
        return ssl.create_default_context(cafile=server.ca)
    except (OSError, ssl.SSLError) as error:
        raise SmtpUrlError(f"the SMTP URL's option ca: {error}") from error


async def open_connection(
    server: SmtpServer, context: ssl.SSLContext, *, local_name: str, within_s: float
) -> Opened:
    """Return a connection that is greeted, encrypted and logged in as the URL says.

    Raises:
        NotConnectedError: there is none, and why.
    """
    wire: Wire | None = None
    try:
        async with asyncio.timeout(within_s):
            wire = await _connect(server, context, within_s)
            opening = _Opening(server, wire, local_name=local_name, within_s=within_s)
            return Opened(wire, await opening.open(context))
    except (OSError, TimeoutError, HungUpError, UnreadableReplyError, NotConnectedError) as error:
        if wire is not None:
            wire.abort()
        raise NotConnectedError(_meaning(error)) from error
    except asyncio.CancelledError:
        if wire is not None:
            wire.abort()
        raise


async def _connect(server: SmtpServer, context: ssl.SSLContext, within_s: float) -> Wire:
    _, wire = await asyncio.get_running_loop().create_connection(
        Wire,
        server.host,
        server.port,
        ssl=context if server.is_tls else None,
        ssl_handshake_timeout=within_s if server.is_tls else None,
    )
    return wire


class _Opening:
    """What is said before the first mail."""

    def __init__(self, server: SmtpServer, wire: Wire, *, local_name: str, within_s: float) -> None:
        self._server = server
        self._wire = wire
        self._local_name = local_name.encode("ascii")
        self._within_s = within_s

    async def open(self, context: ssl.SSLContext) -> Extensions:
        _expect(await self._next(), 220)
        extensions = await self._greet()
        if await self._encrypted(context, extensions):
            extensions = await self._greet()
        if self._server.username is not None:
            await self._log_in(extensions)
        return extensions

    async def _greet(self) -> Extensions:
        reply = await self._ask(b"EHLO " + self._local_name)
        if reply.code in {500, 502}:
            _expect(await self._ask(b"HELO " + self._local_name), 250)
            return {}
        _expect(reply, 250)
        return dict(map(_extension, reply.lines[1:]))

    async def _encrypted(self, context: ssl.SSLContext, extensions: Extensions) -> bool:
        """Encrypt the connection where it is to be and is not yet; tell whether it was."""
        server = self._server
        if server.is_tls or server.start_tls == "never":
            return False
        if "STARTTLS" not in extensions:
            if server.start_tls == "required":
                raise NotConnectedError(Deferred("tls_failed"))
            return False
        _expect(await self._ask(b"STARTTLS"), 220)
        await self._wire.start_tls(context, server.host, within_s=self._within_s)
        return True

    async def _log_in(self, extensions: Extensions) -> None:
        user = (self._server.username or "").encode()
        password = (self._server.password or "").encode()
        ways = extensions.get("AUTH", "").upper().split()
        if "PLAIN" in ways:
            reply = await self._ask(b"AUTH PLAIN " + _base64(b"\0" + user + b"\0" + password))
        elif "LOGIN" in ways:
            _expect(await self._ask(b"AUTH LOGIN"), 334)
            _expect(await self._ask(_base64(user)), 334)
            reply = await self._ask(_base64(password))
        else:
            raise NotConnectedError(Deferred("misconfigured"))
        if 500 <= reply.code < 600:
            raise NotConnectedError(Deferred("unauthorised", reply.code))
        _expect(reply, 235)

    async def _ask(self, command: bytes) -> Reply:
        self._wire.write(command + b"\r\n")
        return await self._next()

    async def _next(self) -> Reply:
        return await self._wire.reply(within_s=self._within_s)


def _expect(reply: Reply, code: int) -> None:
    if reply.code != code:
        raise NotConnectedError(Deferred("server_error", reply.code))


def _extension(line: bytes) -> tuple[str, str]:
    word, _, parameters = line.decode("ascii", "replace").partition(" ")
    return word.upper(), parameters


def _base64(text: bytes) -> bytes:
    return base64.b64encode(text)


def _meaning(error: Exception) -> Deferred:
    if isinstance(error, NotConnectedError):
        return error.result
    if isinstance(error, ssl.SSLError):
        return Deferred("tls_failed")
    if isinstance(error, UnreadableReplyError):
        return Deferred("misconfigured")
    return Deferred("unreachable")
