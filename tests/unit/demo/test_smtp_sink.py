"""The SMTP sink speaks enough SMTP for every client, and errs as ordered."""

import asyncio
from datetime import UTC, datetime
from typing import cast

from deploy.demo.faults import FaultBox, Faults
from deploy.demo.mail_store import Arrival, MailStore
from deploy.demo.smtp_sink import SmtpSession
from deploy.demo.witness_clock import WitnessClock

ENVELOPE = b"MAIL FROM:<g@jubilee.example> SMTPUTF8\r\nRCPT TO:<zo\xc3\xab@one.example>\r\nDATA\r\n"
MAIL = b"Subject: hello\r\n\r\nHey\r\n.\r\n"


class RecordingTransport:
    """Keeps what was written and whether the connection was cut."""

    def __init__(self) -> None:
        self.written = b""
        self.was_cut = False
        self.was_closed = False

    def write(self, data: bytes) -> None:
        """Keep ``data``."""
        self.written += data

    def abort(self) -> None:
        """Note the cut."""
        self.was_cut = True

    def close(self) -> None:
        """Note the end."""
        self.was_closed = True

    def is_closing(self) -> bool:
        """Say whether the connection is at its end."""
        return self.was_cut or self.was_closed


class Dialogue:
    """A session with its store and its transport."""

    def __init__(self, faults: Faults | None = None) -> None:
        self.store = MailStore(WitnessClock(datetime(2027, 2, 28, tzinfo=UTC), 0.0, 1.0))
        self.transport = RecordingTransport()
        self._session = SmtpSession(self.store, FaultBox(faults or Faults()))
        self._session.connection_made(cast(asyncio.Transport, self.transport))

    def say(self, data: bytes) -> list[str]:
        """Send ``data`` and return the codes of the lines that came back."""
        self.transport.written = b""
        self._session.data_received(data)
        return [line[:3].decode() for line in self.transport.written.splitlines()]

    def mails(self) -> list[Arrival]:
        """Return what was taken."""
        return [mail for _, mail in self.store.find(not_after_s=float("inf"))]


def test_pipelined_mails_are_all_taken_and_answered_in_order() -> None:
    dialogue = Dialogue()
    codes = dialogue.say((ENVELOPE + MAIL) * 2 + b"QUIT\r\n")
    assert codes == ["250", "250", "354", "250"] * 2 + ["221"]
    assert [mail.to for mail in dialogue.mails()] == ["zoë@one.example"] * 2
    assert dialogue.transport.was_closed


def test_mail_may_arrive_byte_by_byte() -> None:
    dialogue = Dialogue()
    for byte in ENVELOPE + MAIL:
        dialogue.say(bytes([byte]))
    assert [mail.raw for mail in dialogue.mails()] == ["Subject: hello\r\n\r\nHey\r\n"]


def test_leading_dots_are_unstuffed() -> None:
    dialogue = Dialogue()
    dialogue.say(ENVELOPE + b"..first\r\n..\r\nlast\r\n.\r\n")
    assert [mail.raw for mail in dialogue.mails()] == [".first\r\n.\r\nlast\r\n"]


def test_refused_recipient_gets_no_mail() -> None:
    dialogue = Dialogue(Faults(refuse_next=1))
    assert dialogue.say(ENVELOPE) == ["250", "550", "503"]
    assert dialogue.mails() == []


def test_error_after_accepting_keeps_the_mail() -> None:
    dialogue = Dialogue(Faults(error_after_accept=1))
    assert dialogue.say(ENVELOPE + MAIL)[-1] == "451"
    assert len(dialogue.mails()) == 1


def test_drop_before_accepting_reads_the_mail_and_keeps_nothing() -> None:
    dialogue = Dialogue(Faults(drop_before_accept=1))
    dialogue.say(ENVELOPE + MAIL)
    assert dialogue.transport.was_cut
    assert dialogue.mails() == []


def test_unavailable_server_says_so_and_hangs_up() -> None:
    dialogue = Dialogue(Faults(unavailable_for_s=60))
    assert dialogue.say(ENVELOPE) == ["421"]
    assert dialogue.transport.was_closed


def test_every_extension_is_offered() -> None:
    dialogue = Dialogue()
    dialogue.say(b"EHLO dispatcher.example\r\n")
    for extension in (b"PIPELINING", b"8BITMIME", b"SMTPUTF8"):
        assert extension in dialogue.transport.written
