"""Mails over one SMTP connection, one after the other, with as few round trips as can be.

With PIPELINING (RFC 2920) a mail costs one: MAIL, RCPT and DATA travel in the segment that carries
the text of the mail before it.
"""

import re

import msgspec

from services.dispatcher.adapters.providers.smtp_opening import Opened
from services.dispatcher.adapters.providers.smtp_wire import (
    HungUpError,
    Reply,
    UnreadableReplyError,
    Wire,
)
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown

CONNECTION_LOST = Deferred("connection_lost")

_CLOSING = 421
_GO_AHEAD = 354
_ONE_WRITE_BYTES = 32_768
"""A longer text is seen off before its final dot is: cut meanwhile, it certainly was not taken."""
_LONE_BREAK = re.compile(rb"\r(?!\n)|(?<!\r)\n")

_MEANING_OF_5XX: dict[bytes, Deferred | Refused] = {
    # About us, not about the person.
    b"RSET": Deferred("server_error"),
    b"MAIL": Deferred("misconfigured"),
    b"RCPT": Refused("recipient_refused"),
    b"DATA": Refused("mail_refused"),
}


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """One mail as it goes out; ``content`` is as it was written, dots not stuffed."""

    place: int
    sender: bytes
    recipient: bytes
    message_id: str
    content: bytes


class SmtpSession:
    """One connection and what it has carried. ``answer_s`` is for the answer to a mail's end."""

    def __init__(self, opened: Opened, *, mails: int, envelope_s: float, answer_s: float) -> None:
        offered = opened.extensions
        self.wire: Wire = opened.wire
        self.is_fresh = True
        self.is_pipelining = "PIPELINING" in offered
        self._takes_8bit = "8BITMIME" in offered
        self._takes_size = "SIZE" in offered
        self._size_max = _size_max(offered.get("SIZE", ""))
        self._mails_left = mails
        self._envelope_s = envelope_s
        self._answer_s = answer_s
        self._is_over = False
        self._needs_reset = False
        self._commands: tuple[bytes, ...] = ()

    @property
    def has_room(self) -> bool:
        """Whether another mail may be announced."""
        return not self._is_over and self._mails_left > 0

    @property
    def is_usable(self) -> bool:
        """Whether a mail may be tried after a pause: the server neither spoke nor hung up."""
        return self.has_room and self.wire.is_quiet

    def unfit(self, mail: Outgoing) -> Result | None:
        """Return why this server cannot carry ``mail``, None where it can."""
        if self._size_max and len(mail.content) > self._size_max:
            return Refused("mail_too_large")
        if not self._takes_8bit and not mail.content.isascii():
            return Deferred("misconfigured")
        return None

    def announce(self, mail: Outgoing) -> None:
        """Begin ``mail``, which is fit."""
        envelope = self._begun(mail)
        if self.is_pipelining:
            self.wire.write(envelope)

    async def go_ahead(self) -> Result | None:
        """Return None once the server waits for the text of the announced mail.

        Otherwise return why it does not; nothing was sent then, for certain.
        """
        refusal: Result | None = None
        try:
            for command in self._commands:
                if not self.is_pipelining:
                    self.wire.write(command)
                reply = await self.wire.reply(within_s=self._envelope_s)
                refusal = refusal or self._refusal(command[:4], reply)
                if refusal is not None and not self.is_pipelining:
                    break
            if refusal is not None:
                self._withdraw(reply)
        except TimeoutError:
            self.abort()
            refusal = refusal or Deferred("timed_out")
        except (HungUpError, UnreadableReplyError):
            self.abort()
            refusal = refusal or CONNECTION_LOST
        return refusal

    async def hand_over(self, mail: Outgoing, follower: Outgoing | None = None) -> Result:
        """Send the text of the mail the server waits for and return what it made of it.

        ``follower`` is announced in the same segment, where the server allows that.
        """
        begun = self._begun(follower) if follower is not None else b""
        if (failure := await self._send(transparent(mail.content), begun)) is not None:
            return failure
        try:
            reply = await self.wire.reply(within_s=self._answer_s)
        except TimeoutError:
            self.abort()
            return Unknown("timed_out")
        except HungUpError:
            self.abort()
            return Unknown("connection_lost")
        except UnreadableReplyError:
            self.abort()
            return Unknown("unreadable_answer")
        return self._verdict(mail, reply)

    def end(self) -> None:
        """Take leave, unless that was done; the answer is not waited for."""
        if not self._is_over:
            self._is_over = True
            self.wire.write(b"QUIT\r\n")
            self.wire.close()

    def abort(self) -> None:
        """Cut the connection: the server forgets a mail that has no end."""
        self._is_over = True
        self.wire.abort()

    def _begun(self, mail: Outgoing) -> bytes:
        self._mails_left -= 1
        parameters = b" SIZE=%d" % len(mail.content) if self._takes_size else b""
        if not mail.content.isascii():
            parameters += b" BODY=8BITMIME"
        self._commands = (
            *((b"RSET\r\n",) if self._needs_reset else ()),
            b"MAIL FROM:<%b>%b\r\n" % (mail.sender, parameters),
            b"RCPT TO:<%b>\r\n" % mail.recipient,
            b"DATA\r\n",
        )
        self._needs_reset = False
        return b"".join(self._commands) if self.is_pipelining else b""

    async def _send(self, text: bytes, begun: bytes) -> Result | None:
        """Write ``text``, its end and ``begun``; return a result where the end was not sent."""
        if len(text) > _ONE_WRITE_BYTES:
            self.wire.write(text)
            text = b""
            try:
                await self.wire.flush(within_s=self._answer_s)
            except TimeoutError:
                self.abort()
                return Deferred("timed_out")
        if not self.wire.is_standing:
            self.abort()
            return CONNECTION_LOST
        self.wire.write(b"%b.\r\n%b" % (text, begun))
        return None

    def _withdraw(self, last: Reply) -> None:
        """Leave the connection ready for another mail, or not at all."""
        self._needs_reset = True
        if last.code == _GO_AHEAD:
            # It waits for a text all the same (RFC 2920, 3.1), and whom it would send that to is
            # its secret.
            self.abort()

    def _refusal(self, verb: bytes, reply: Reply) -> Result | None:
        code = reply.code
        if code == _CLOSING:
            self.end()
            return Deferred("server_error", code)
        if (code == _GO_AHEAD) if verb == b"DATA" else (200 <= code < 300):
            return None
        if 400 <= code < 500:
            return Deferred("try_later", code)
        if code >= 500:
            return msgspec.structs.replace(_MEANING_OF_5XX[verb], answer=code)
        self.abort()
        return Deferred("server_error", code)

    def _verdict(self, mail: Outgoing, reply: Reply) -> Result:
        code = reply.code
        if 200 <= code < 300:
            return Accepted(mail.message_id)
        if code == _CLOSING:
            self.end()
            return Deferred("server_error", code)
        if 400 <= code < 500:
            return Deferred("try_later", code)
        if code >= 500:
            return Refused("mail_refused", code)
        self.abort()
        return Unknown("unreadable_answer", code)


def transparent(content: bytes) -> bytes:
    """Return ``content`` as DATA carries it: CRLF at every line's end, leading dots doubled.

    A lone CR or LF becomes a line's end: some servers take one, with a dot behind it, for the end
    of the mail and what follows for commands.
    """
    if not content.count(b"\r\n") == content.count(b"\n") == content.count(b"\r"):
        content = _LONE_BREAK.sub(b"\r\n", content)
    if not content.endswith(b"\r\n"):
        content += b"\r\n"
    stuffed = content.replace(b"\r\n.", b"\r\n..") if b"\r\n." in content else content
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _size_max(parameter: str) -> int:
    return int(parameter) if parameter.isdigit() else 0
