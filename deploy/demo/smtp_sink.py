"""An SMTP server that takes every mail, quickly: pipelining, 8BITMIME, SMTPUTF8, any AUTH."""

import asyncio
import re
from typing import cast

from deploy.demo.faults import FaultBox
from deploy.demo.mail_parts import read_headers
from deploy.demo.mail_store import Arrival, MailStore, arrived_now

MAX_LINE_BYTES = 4096
MAX_MAIL_BYTES = 10_485_760

_EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "AUTH PLAIN")
_GREETING = b"220 inbox.example ESMTP takes everything\r\n"
_EHLO = "".join(f"250-{word}\r\n" for word in ("inbox.example", *_EXTENSIONS)).encode()
_EHLO += b"250 SIZE %d\r\n" % MAX_MAIL_BYTES
_PATH = re.compile(rb"<([^<>]*)>")
_OCCURRENCE = re.compile(rb"\nX-Jubilee-Occurrence: ([!-~]+)\r\n")
_OK = b"250 2.0.0 OK\r\n"
_BEFORE = {
    "throttle": b"450 4.7.1 Slow down\r\n",
    "error": b"451 4.3.0 Local error\r\n",
    "unavailable": b"421 4.3.2 Not now\r\n",
}


class SmtpSession(asyncio.Protocol):
    """One client's connection; several mails may come over it, several commands in a segment.

    In ``lean`` mode only the occurrence is read of each mail.
    """

    def __init__(self, store: MailStore, faults: FaultBox, *, lean: bool = False) -> None:
        self._store = store
        self._lean = lean
        self._faults = faults
        self._received = bytearray()
        self._replies: list[bytes] = []
        self._in_data = False
        self._waiting = False
        self._reset()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Greet the client."""
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(_GREETING)

    def data_received(self, data: bytes) -> None:
        """Obey every whole command received so far and answer all of them in one write."""
        self._received += data
        self._proceed()

    def _proceed(self) -> None:
        while not self._waiting and (self._take_mail() if self._in_data else self._take_line()):
            pass
        if self._replies and not self._transport.is_closing():
            self._transport.write(b"".join(self._replies))
        self._replies.clear()

    def _take_line(self) -> bool:
        end = self._received.find(b"\r\n")
        if end < 0:
            if len(self._received) > MAX_LINE_BYTES:
                self._transport.abort()
            return False
        line = bytes(self._received[:end])
        del self._received[: end + 2]
        self._obey(line)
        return not self._transport.is_closing()

    def _obey(self, line: bytes) -> None:
        verb = line[:4].upper()
        if verb == b"MAIL":
            self._mail_from(line)
        elif verb == b"RCPT":
            self._recipient(line)
        elif verb == b"DATA":
            self._start_data()
        elif verb == b"EHLO":
            self._reset()
            self._replies.append(_EHLO)
        elif verb == b"AUTH":
            self._replies.append(b"235 2.7.0 Welcome\r\n")
        elif verb == b"QUIT":
            self._replies.append(b"221 2.0.0 Bye\r\n")
            self._proceed_and_close()
        elif verb in {b"RSET", b"NOOP", b"HELO"}:
            if verb != b"NOOP":
                self._reset()
            self._replies.append(_OK)
        else:
            self._replies.append(b"502 5.5.1 Unknown command\r\n")

    def _mail_from(self, line: bytes) -> None:
        before = self._faults.before()
        if before == "unavailable":
            self._replies.append(_BEFORE[before])
            self._proceed_and_close()
            return
        if before in _BEFORE:
            self._replies.append(_BEFORE[before])
            return
        self._reset()
        self._drops = before == "drop"
        self._sender = _address(line)
        self._has_sender = True
        self._replies.append(_OK)

    def _recipient(self, line: bytes) -> None:
        if not self._has_sender:
            self._replies.append(b"503 5.5.1 MAIL first\r\n")
            return
        address = _address(line)
        if self._faults.refuses(address):
            self._replies.append(b"550 5.1.1 No such mailbox\r\n")
            return
        self._recipients.append(address)
        self._replies.append(_OK)

    def _start_data(self) -> None:
        if not self._recipients:
            self._replies.append(b"503 5.5.1 RCPT first\r\n")
            return
        self._in_data = True
        self._searched = 0
        self._replies.append(b"354 Go ahead\r\n")

    def _take_mail(self) -> bool:
        end = -3 if self._received[:3] == b".\r\n" else self._find_end()
        if end == -1:
            return False
        source = bytes(self._received[: max(end + 2, 0)])
        del self._received[: end + 5 if end >= 0 else 3]
        self._in_data = False
        self._finish(source)
        return not self._transport.is_closing()

    def _find_end(self) -> int:
        end = self._received.find(b"\r\n.\r\n", self._searched)
        self._searched = max(0, len(self._received) - 4)
        return end

    def _finish(self, source: bytes) -> None:
        if self._drops:
            self._transport.abort()
            return
        self._store.put(self._lean_arrivals(source) if self._lean else self._arrivals(source))
        self._reset()
        after = self._faults.after()
        if after == "drop":
            self._transport.abort()
        elif after == "hang":
            self._waiting = True
        else:
            self._answer_mail(_BEFORE["error"] if after == "error" else b"250 2.0.0 Taken\r\n")

    def _answer_mail(self, reply: bytes) -> None:
        delay_s = self._faults.delay_s()
        if not delay_s:
            self._replies.append(reply)
            return
        self._waiting = True
        asyncio.get_running_loop().call_later(delay_s, self._resume, reply)

    def _resume(self, reply: bytes) -> None:
        self._waiting = False
        self._replies.append(reply)
        self._proceed()

    def _lean_arrivals(self, source: bytes) -> list[Arrival]:
        found = _OCCURRENCE.search(source)
        occurrence = found[1].decode("ascii") if found else ""
        now_s = arrived_now()
        return [Arrival(accepted_s=now_s, to="", occurrence=occurrence) for _ in self._recipients]

    def _arrivals(self, source: bytes) -> list[Arrival]:
        source = _unstuffed(source)
        headers = read_headers(source)
        raw = source.decode("utf-8", "replace")
        now_s = arrived_now()
        return [
            Arrival(
                accepted_s=now_s,
                to=recipient,
                occurrence=headers.occurrence,
                message_id=headers.message_id,
                via="smtp",
                sender=self._sender,
                subject=headers.subject,
                raw=raw,
            )
            for recipient in self._recipients
        ]

    def _proceed_and_close(self) -> None:
        self._transport.write(b"".join(self._replies))
        self._replies.clear()
        self._transport.close()

    def _reset(self) -> None:
        self._sender = ""
        self._has_sender = False
        self._recipients: list[str] = []
        self._drops = False
        self._searched = 0


def _unstuffed(source: bytes) -> bytes:
    source = source.replace(b"\r\n..", b"\r\n.") if b"\r\n.." in source else source
    return source[1:] if source.startswith(b"..") else source


def _address(line: bytes) -> str:
    found = _PATH.search(line)
    return found.group(1).decode("utf-8", "replace") if found else ""
