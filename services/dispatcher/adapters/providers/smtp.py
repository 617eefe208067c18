"""SMTP over kept connections, and an optional look-up to ask what became of a mail."""

import asyncio
import contextlib
from collections.abc import Sequence
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
import aiosmtplib
import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import MimeWriter, Sender
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import LEASE_SHORT
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail

_MAILS_PER_CONNECTION = 200
_IDLE_S = 20.0
_DEFAULT_CONNECTIONS = 8
_CLOSING = 421

StartTls = Literal["auto", "required", "never"]


class SmtpUrlError(ValueError):
    """The provider's URL cannot be read; the text says what to write."""


class SmtpServer(msgspec.Struct, frozen=True, kw_only=True):
    """Where to send and how, as the URL says."""

    host: str
    port: int
    is_tls: bool
    start_tls: StartTls
    username: str | None
    password: str | None
    connections: int
    lookup: str | None


class _Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    connections: int = _DEFAULT_CONNECTIONS
    lookup: str | None = None
    starttls: StartTls | None = None


class _Connection(msgspec.Struct):
    client: aiosmtplib.SMTP
    mails: int = 0
    idle_since_s: float = 0.0


class _Connecting(Exception):  # noqa: N818
    """No connection could be made; ``result`` is what that means for the mail."""

    def __init__(self, result: Deferred) -> None:
        super().__init__(result.reason)
        self.result = result


class _Listing(msgspec.Struct, frozen=True):
    messages: list[Any]


_listing = msgspec.json.Decoder(_Listing)


def read_smtp_url(url: str) -> SmtpServer:
    """Read ``smtp[s]://[user:password@]host[:port][?connections=8&lookup=<url>&starttls=auto]``.

    With credentials ``starttls`` is ``required`` unless the URL says otherwise.

    Raises:
        SmtpUrlError: it has another form.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise SmtpUrlError("give smtp://host:port or smtps://host:port")
    try:
        options = msgspec.convert(dict(parse_qsl(parts.query)), _Options, strict=False)
    except msgspec.ValidationError as error:
        raise SmtpUrlError(f"the SMTP URL's options: {error}") from error
    if options.connections < 1:
        raise SmtpUrlError("the SMTP URL's option connections must be at least 1")
    is_tls = parts.scheme == "smtps"
    return SmtpServer(
        host=parts.hostname,
        port=parts.port or (465 if is_tls else 25),
        is_tls=is_tls,
        start_tls=options.starttls or ("required" if parts.username else "auto"),
        username=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password or "") if parts.username else None,
        connections=options.connections,
        lookup=options.lookup,
    )


class SmtpProvider:
    """Sends over at most ``server.connections`` connections, one mail at a time on each.

    ``lookup_delay_s`` is how long after a mail was taken the look-up may still not show it.
    """

    def __init__(
        self, server: SmtpServer, *, sender: Sender, timeout_s: float, lookup_delay_s: float
    ) -> None:
        self.traits = Traits(
            name="smtp",
            timeout_s=timeout_s,
            can_find=server.lookup is not None,
            lookup_delay_s=lookup_delay_s,
        )
        self._server = server
        self._mailbox = sender.mailbox
        self._writer = MimeWriter(sender)
        self._free = asyncio.Semaphore(server.connections)
        self._idle: list[_Connection] = []
        self._session = (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s))
            if server.lookup
            else None
        )

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        batch = _Batch(self, mails, start_before_s)
        workers = min(self._server.connections, len(mails))
        await asyncio.gather(*(batch.work() for _ in range(workers)))
        return batch.results

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        if self._session is None or self._server.lookup is None:
            raise FindError(f"no look-up is set to ask about {occurrence}")
        try:
            async with self._session.get(
                self._server.lookup, params={"message_id": message_id}, allow_redirects=False
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise FindError(f"{occurrence}: the look-up answered {response.status}")
                return Found(message_id) if _listing.decode(body).messages else Missing()
        except (aiohttp.ClientError, TimeoutError, OSError, msgspec.DecodeError) as error:
            raise FindError(f"{occurrence}: {type(error).__name__}") from error

    async def close(self) -> None:
        while self._idle:
            self._idle.pop().client.close()
        if self._session is not None:
            await self._session.close()

    async def deliver_one(self, mail: Mail, *, start_before_s: float) -> Result:
        """Send one mail over a free connection.

        Raises:
            _Connecting: no connection could be made; nothing was sent.
        """
        async with self._free:
            reused = self._take_idle()
            if reused is not None:
                result = await self._send(reused, mail, start_before_s)
                # A server may close an idle connection at any time; before DATA that is harmless.
                if result is not _CLOSED_EARLY:
                    return result
            return await self._send(await self._connect(), mail, start_before_s)

    def _take_idle(self) -> _Connection | None:
        while self._idle:
            connection = self._idle.pop()
            is_fresh = monotonic_s() - connection.idle_since_s < _IDLE_S
            if is_fresh and connection.client.is_connected:
                return connection
            connection.client.close()
        return None

    def _give_back(self, connection: _Connection) -> None:
        connection.mails += 1
        if connection.mails >= _MAILS_PER_CONNECTION or not connection.client.is_connected:
            connection.client.close()
            return
        connection.idle_since_s = monotonic_s()
        self._idle.append(connection)

    async def _connect(self) -> _Connection:
        server = self._server
        client = aiosmtplib.SMTP(
            hostname=server.host,
            port=server.port,
            username=server.username,
            password=server.password,
            use_tls=server.is_tls,
            start_tls=False if server.is_tls else _START_TLS[server.start_tls],
            local_hostname=self._mailbox.rpartition("@")[2],
            timeout=self.traits.timeout_s,
        )
        try:
            async with asyncio.timeout(self.traits.timeout_s):
                await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            client.close()
            raise _Connecting(_not_connected(error)) from error
        return _Connection(client)

    async def _send(self, connection: _Connection, mail: Mail, start_before_s: float) -> Result:
        """Run one mail transaction. Until DATA begins a failure is certain to have sent nothing."""
        if monotonic_s() >= start_before_s:
            self._give_back(connection)
            return LEASE_SHORT
        client = connection.client
        may_have_it = False
        try:
            async with asyncio.timeout(self.traits.timeout_s):
                await client.mail(self._mailbox)
                await client.rcpt(mail.recipient)
                may_have_it = True
                await client.data(self._writer.write(mail))
        except aiosmtplib.SMTPResponseException as error:
            # A negative answer, the one to the final dot included: the server did not take it.
            await self._reset(connection, error.code)
            return _refusal(error)
        except TimeoutError:
            client.close()
            return Unknown("timed_out") if may_have_it else Deferred("timed_out")
        except (aiosmtplib.SMTPException, OSError):
            client.close()
            return Unknown("connection_lost") if may_have_it else _CLOSED_EARLY
        except asyncio.CancelledError:
            client.close()
            raise
        self._give_back(connection)
        return Accepted(mail.message_id)

    async def _reset(self, connection: _Connection, code: int) -> None:
        """Make the connection fit for the next mail, or drop it."""
        if code != _CLOSING and connection.client.is_connected:
            with contextlib.suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
                await connection.client.rset()
                self._give_back(connection)
                return
        connection.client.close()


class _Batch:
    """Mails shared out among workers; once the server is out of reach the rest is not tried."""

    def __init__(
        self, provider: SmtpProvider, mails: Sequence[Mail], start_before_s: float
    ) -> None:
        self.results: list[Result] = [LEASE_SHORT] * len(mails)
        self._provider = provider
        self._mails = enumerate(mails)
        self._start_before_s = start_before_s
        self._outage: Deferred | None = None

    async def work(self) -> None:
        """Deliver mails until none is left."""
        for place, mail in self._mails:
            self.results[place] = self._outage or await self._deliver(mail)

    async def _deliver(self, mail: Mail) -> Result:
        try:
            return await self._provider.deliver_one(mail, start_before_s=self._start_before_s)
        except _Connecting as failure:
            self._outage = failure.result
            return failure.result


_CLOSED_EARLY = Deferred("connection_lost")
_START_TLS = {"auto": None, "required": True, "never": False}


def _not_connected(error: Exception) -> Deferred:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Deferred("unauthorised", error.code)
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return Deferred("server_error", error.code)
    if isinstance(error, aiosmtplib.SMTPConnectError | TimeoutError | ConnectionError):
        return Deferred("unreachable")
    return Deferred("misconfigured")


def _refusal(error: aiosmtplib.SMTPResponseException) -> Result:
    code = error.code
    if code == _CLOSING:
        return Deferred("server_error", code)
    if not 500 <= code < 600:
        return Deferred("try_later", code)
    if isinstance(error, aiosmtplib.SMTPSenderRefused):
        # That is about us, not about the person.
        return Deferred("misconfigured", code)
    if isinstance(error, aiosmtplib.SMTPRecipientRefused):
        return Refused("recipient_refused", code)
    return Refused("mail_refused", code)
