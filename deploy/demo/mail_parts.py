"""Reads a MIME source: its interesting headers at once, its texts when somebody looks."""

import re
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from typing import NamedTuple

from deploy.demo.mail_store import Arrival

_HEADER = re.compile(
    rb"^(message-id|subject|x-jubilee-occurrence):[ \t]*(.*(?:\n[ \t].*)*)",
    re.IGNORECASE | re.MULTILINE,
)


class Headers(NamedTuple):
    """What the list of mails shows."""

    message_id: str
    subject: str
    occurrence: str


class Texts(NamedTuple):
    """A mail's two bodies; empty where it has none."""

    text: str
    html: str


def read_headers(source: bytes) -> Headers:
    """Return the headers of ``source`` without parsing its body."""
    head = source[: max(source.find(b"\r\n\r\n"), 0) or len(source)]
    found = {name.lower(): value for name, value in _HEADER.findall(head)}
    return Headers(
        message_id=_unfolded(found.get(b"message-id", b"")).strip("<>"),
        subject=_decoded(_unfolded(found.get(b"subject", b""))),
        occurrence=_unfolded(found.get(b"x-jubilee-occurrence", b"")),
    )


def texts_of(arrival: Arrival) -> Texts:
    """Return the bodies of a mail that came by SMTP or HTTP."""
    if not arrival.raw:
        return Texts(arrival.text, arrival.html)
    parts = list(message_from_bytes(arrival.raw.encode()).walk())
    return Texts(_body(parts, "text/plain"), _body(parts, "text/html"))


def _body(parts: list[Message], content_type: str) -> str:
    for part in parts:
        if part.get_content_type() == content_type:
            payload = part.get_payload(decode=True)
            charset = part.get_content_charset("utf-8")
            return payload.decode(charset, "replace") if isinstance(payload, bytes) else ""
    return ""


def _unfolded(value: bytes) -> str:
    return value.replace(b"\r\n", b"").strip().decode("utf-8", "replace")


def _decoded(subject: str) -> str:
    return str(make_header(decode_header(subject))) if "=?" in subject else subject
