"""SMTP over kept connections, and an optional look-up to ask what became of a mail."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import MimeWriter, Sender, Signer
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import LEASE_SHORT, NotConnectedError
from services.dispatcher.adapters.providers.smtp_opening import open_connection, tls_context
from services.dispatcher.adapters.providers.smtp_session import (
    CONNECTION_LOST,
    Outgoing,
    SmtpSession,
)
from services.dispatcher.adapters.providers.smtp_url import SmtpServer
from services.dispatcher.adapters.providers.smtp_wire import ended
from services.dispatcher.domain.delivery import Deferred, Result
from services.dispatcher.domain.greeting import Mail

logger = logging.getLogger(__name__)


class _Listing(msgspec.Struct, frozen=True):
    messages: list[Any]


_listing = msgspec.json.Decoder(_Listing)


class SmtpProvider:
    """Sends over at most ``server.connections`` connections, one mail at a time on each.

    ``lookup_delay_s`` is how long after a mail was taken the look-up may still not show it.

    Raises:
        SmtpUrlError: the authorities the URL names cannot be used.
    """

    def __init__(
        self,
        server: SmtpServer,
        *,
        sender: Sender,
        timeout_s: float,
        lookup_delay_s: float,
        signer: Signer | None = None,
    ) -> None:
        self.traits = Traits(
            name="smtp",
            timeout_s=timeout_s,
            can_find=server.lookup is not None,
            lookup_delay_s=lookup_delay_s,
        )
        self._server = server
        self._context = tls_context(server)
        self._mailbox = sender.mailbox
        self._writer = MimeWriter(sender, signer)
        self._free = asyncio.Semaphore(server.connections)
        self._idle: dict[SmtpSession, asyncio.TimerHandle] = {}
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
        sessions = list(self._idle)
        for session in sessions:
            self._retire(session)
        await ended(session.wire for session in sessions)
        if self._session is not None:
            await self._session.close()

    def outgoing(self, place: int, mail: Mail) -> Outgoing:
        """Return ``mail``, the one at ``place`` of its batch, as it goes out."""
        return Outgoing(
            place,
            self._mailbox.encode("ascii"),
            mail.recipient.encode("ascii"),
            mail.message_id,
            self._writer.write(mail),
        )

    @property
    def free(self) -> asyncio.Semaphore:
        """Counts the connections that may still be used."""
        return self._free

    async def take_session(self) -> SmtpSession:
        """Return an idle connection, or a new one.

        Raises:
            NotConnectedError: there is none; nothing was sent.
        """
        while self._idle:
            session, timer = self._idle.popitem()
            timer.cancel()
            if session.is_usable:
                session.is_fresh = False
                return session
            session.end()
        return await self._open()

    def give_back(self, session: SmtpSession) -> None:
        """Keep a connection for later, or end it."""
        if not session.is_usable:
            session.end()
            return
        loop = asyncio.get_running_loop()
        self._idle[session] = loop.call_later(self._server.idle_s, self._retire, session)

    def _retire(self, session: SmtpSession) -> None:
        self._idle.pop(session).cancel()
        session.end()

    async def _open(self) -> SmtpSession:
        timeout_s = self.traits.timeout_s
        opened = await open_connection(
            self._server,
            self._context,
            local_name=self._mailbox.rpartition("@")[2],
            within_s=self._server.opening_s or timeout_s,
        )
        return SmtpSession(
            opened,
            mails=self._server.mails,
            envelope_s=self._server.envelope_s or timeout_s,
            answer_s=timeout_s,
        )


class _Batch:
    """Mails shared out among workers; once the server is out of reach the rest is not tried."""

    def __init__(
        self, provider: SmtpProvider, mails: Sequence[Mail], start_before_s: float
    ) -> None:
        self.results: list[Result] = [LEASE_SHORT] * len(mails)
        self._provider = provider
        self._mails = mails
        self._waiting = deque(range(len(mails)))
        self._tried_again: set[int] = set()
        self._start_before_s = start_before_s
        self._hopeful = 0  # workers that have a connection or may still get one

    async def work(self) -> None:
        """Send mails over one connection after the other until none is left."""
        async with self._provider.free:
            self._hopeful += 1
            try:
                while self._waiting and not self._is_late():
                    await self._use(await self._provider.take_session())
            except NotConnectedError as error:
                self._give_up(error.result)
            finally:
                self._hopeful -= 1

    def _is_late(self) -> bool:
        return monotonic_s() >= self._start_before_s

    def _give_up(self, result: Deferred) -> None:
        """Leave what waits to the workers that have a connection or still open one, if any."""
        logger.warning(
            "provider.not_connected",
            extra={"provider": "smtp", "reason": result.reason, "answer": result.answer},
        )
        if self._hopeful == 1:
            for place in self._waiting:
                self.results[place] = result
            self._waiting.clear()

    async def _use(self, session: SmtpSession) -> None:
        try:
            await self._send_over(session)
        except asyncio.CancelledError:
            session.abort()
            raise
        finally:
            self._provider.give_back(session)

    async def _send_over(self, session: SmtpSession) -> None:
        current = self._announced(session)
        while current is not None:
            refusal = await session.go_ahead()
            if refusal is not None:
                self._note_refusal(session, current, refusal)
                current = self._announced(session)
            elif self._is_late():
                # The server waits for a text. Without one it forgets the mail.
                session.abort()
                return
            else:
                follower = self._next(session) if session.is_pipelining else None
                self.results[current.place] = await session.hand_over(current, follower)
                session.is_fresh = False
                current = follower or self._announced(session)

    def _announced(self, session: SmtpSession) -> Outgoing | None:
        mail = self._next(session)
        if mail is not None:
            session.announce(mail)
        return mail

    def _next(self, session: SmtpSession) -> Outgoing | None:
        """Return the next mail that the server of ``session`` can carry."""
        while self._waiting and session.has_room and not self._is_late():
            place = self._waiting.popleft()
            mail = self._provider.outgoing(place, self._mails[place])
            if (refusal := session.unfit(mail)) is None:
                return mail
            self.results[place] = refusal
        return None

    def _note_refusal(self, session: SmtpSession, mail: Outgoing, refusal: Result) -> None:
        """Keep what became of ``mail``.

        A server may end a connection between two mails at any time: that costs another try only.
        """
        is_first_loss = mail.place not in self._tried_again
        if refusal is CONNECTION_LOST and not session.is_fresh and is_first_loss:
            self._tried_again.add(mail.place)
            self._waiting.appendleft(mail.place)
        else:
            self.results[mail.place] = refusal
