"""Writes a mail as bytes (RFC 5322, RFC 2045 to 2047), directly: a hundredth of the cost of
building and flattening ``email.message.EmailMessage``, which stays the judge in the tests."""

import base64
import re
from collections.abc import Iterator
from email.utils import format_datetime

import msgspec

from services.dispatcher.domain.greeting import Mail

OCCURRENCE_HEADER = "X-Jubilee-Occurrence"

_WORD_BYTES = 45
"""Bytes of text in one encoded word: 60 characters of base64, 72 with its frame (at most 75)."""
_LONGEST_PLAIN = 76
_PLAIN_PHRASE = re.compile(r"[A-Za-z0-9 !#$%&'*+/=?^_`{|}~-]*")


class Sender(msgspec.Struct, frozen=True):
    """Who greets: a mailbox and the name shown beside it."""

    mailbox: str
    name: str


class MimeWriter:
    """Writes mails from one sender."""

    def __init__(self, sender: Sender) -> None:
        self._from = from_header(sender)

    def write(self, mail: Mail) -> bytes:
        """Return the whole mail with CRLF line ends; dots are not stuffed yet."""
        boundary = f"=_{mail.message_id.partition('@')[0]}"
        return (
            f"From: {self._from}\r\n"
            f"To: {mail.recipient}\r\n"
            f"Subject: {unstructured(mail.subject)}\r\n"
            f"Date: {format_datetime(mail.sent_at)}\r\n"
            f"Message-ID: <{mail.message_id}>\r\n"
            f"{OCCURRENCE_HEADER}: {mail.occurrence}\r\n"
            "Auto-Submitted: auto-generated\r\n"
            "MIME-Version: 1.0\r\n"
            f'Content-Type: multipart/alternative; boundary="{boundary}"\r\n'
            "\r\n"
            f"--{boundary}\r\n{_part('plain', mail.text)}"
            f"--{boundary}\r\n{_part('html', mail.html)}"
            f"--{boundary}--\r\n"
        ).encode("ascii")


def from_header(sender: Sender) -> str:
    """Return ``Name <mailbox>``; a name that is not plain words becomes encoded words."""
    if not sender.name:
        return sender.mailbox
    if _PLAIN_PHRASE.fullmatch(sender.name) and "=?" not in sender.name:
        return f"{sender.name} <{sender.mailbox}>"
    return f"{_encoded(sender.name)} <{sender.mailbox}>"


def unstructured(text: str) -> str:
    """Return one line of text as the value of a header such as Subject.

    Text that is long, not ASCII, or could be taken for an encoded word becomes encoded words.
    """
    if text.isascii() and text.isprintable() and len(text) <= _LONGEST_PLAIN and "=?" not in text:
        return text
    return _encoded(text)


def _encoded(text: str) -> str:
    words = (base64.b64encode(chunk).decode("ascii") for chunk in _chunks(text))
    return "\r\n ".join(f"=?utf-8?b?{word}?=" for word in words)


def _chunks(text: str) -> Iterator[bytes]:
    """Cut ``text`` into pieces of UTF-8 that each hold whole characters."""
    rest = text.encode("utf-8")
    while len(rest) > _WORD_BYTES:
        end = _WORD_BYTES
        while rest[end] & 0xC0 == 0x80:
            end -= 1
        yield rest[:end]
        rest = rest[end:]
    yield rest


def _part(subtype: str, text: str) -> str:
    """Return one body part: as it is where every mail server carries that, base64 elsewhere."""
    content = text.replace("\r\n", "\n")
    head = f"Content-Type: text/{subtype}; charset=utf-8\r\nContent-Transfer-Encoding: "
    if _is_plain(content):
        return f"{head}7bit\r\n\r\n{content.replace(chr(10), chr(13) + chr(10))}\r\n"
    encoded = base64.encodebytes(content.replace("\n", "\r\n").encode("utf-8")).decode("ascii")
    return f"{head}base64\r\n\r\n{encoded.replace(chr(10), chr(13) + chr(10))}\r\n"


def _is_plain(content: str) -> bool:
    return (
        content.isascii()
        and "--=_" not in content
        and all(
            line.isprintable() and len(line) <= _LONGEST_PLAIN and not line.endswith(" ")
            for line in content.split("\n")
        )
    )
