"""Nothing that a person, an operator or a link says can add a header, a recipient or a part."""

import base64
import email
import re
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from contracts.kinds import KINDS
from libs.ids import new_id
from services.dispatcher.adapters.mime import MimeWriter, Sender, from_header
from services.dispatcher.domain.address import UnusableAddressError, mailbox
from services.dispatcher.domain.delivery import Claim, Recipient, Writing
from services.dispatcher.domain.greeting import Greetings, Mail
from services.dispatcher.domain.texts import Text
from services.dispatcher.domain.unsubscribing import UnsubscribeLinks
from tests.support.deliveries import NINE, a_request
from tests.support.depth import deeper

GREETINGS = Greetings(
    KINDS,
    message_domain="jubilee.example",
    links=UnsubscribeLinks("https://mail.jubilee.example/unsubscribe", [b"k" * 32]),
)
WRITER = MimeWriter(Sender("greetings@jubilee.example", "Jubilee"))
HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
    "X-Jubilee-Occurrence", "Auto-Submitted", "MIME-Version", "Content-Type",
]  # fmt: skip

TRICKS = [
    "\r\n", "\r", "\n", "\x00", "\x0b", "\x0c", "\x85", "\u2028", "\u2029", "\u202e", "\u2066",
    "\r\nBcc: eve@example.org\r\n", "\r\n\r\n", ".\r\n", "\r\n.\r\n", "--=_", "=?utf-8?q?x?=",
    ", eve@example.org", "<eve@example.org>", '"', "\\", ";", ":", "(", ")", "@", "\ud800",
    "%0d%0a", "👩‍👩‍👧", "ﷺ", "e\u0301", "\ufeff", "שלום", "नमस्ते", "𐍈", " ", "\t", "a" * 2000,
]  # fmt: skip
NASTY = st.sampled_from(TRICKS)
ANYTHING = st.lists(NASTY | st.text(max_size=12), max_size=8).map("".join)


def mail_of(first_name: str, last_name: str, *, text: Text | None = None) -> Mail:
    recipient = Recipient("ada@example.org", first_name, last_name, "en")
    claim = Claim(a_request(new_id(), years=3), recipient, 0, Writing(NINE, 0))
    return GREETINGS.render(claim, text or GREETINGS.texts.best("anniversary", "en"))


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=SMTP)
    assert isinstance(message, EmailMessage)
    return message


def check(raw: bytes) -> EmailMessage:
    """Return the mail as the standard library reads it: our headers, one recipient, two parts."""
    assert raw.isascii()
    lines = raw.split(b"\r\n")
    assert not any(b"\n" in line or b"\r" in line or b"\0" in line for line in lines)
    assert max(map(len, lines)) <= 998
    head = raw.partition(b"\r\n\r\n")[0]
    words = re.findall(rb"=\?[^?]+\?b\?[^?]*\?=", head)
    assert all(len(word) <= 75 for word in words)
    assert all(len(line) <= 76 for line in head.split(b"\r\n") if b"=?" in line)
    message = parsed(raw)
    assert (message.keys(), message.defects) == (HEADERS, [])
    [recipient] = message["To"].addresses
    assert recipient.addr_spec == "ada@example.org"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert [part.defects for part in message.iter_parts()] == [[], []]
    return message


@given(ANYTHING, ANYTHING)
@settings(max_examples=deeper(300, 20_000), deadline=None)
def test_names_stay_names(first_name: str, last_name: str) -> None:
    mail = mail_of(first_name, last_name)
    message = check(WRITER.write(mail))
    assert _subject(WRITER.write(mail)) == mail.subject
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", mail.subject)
    for subtype, meant in (("plain", mail.text), ("html", mail.html)):
        assert _body(message, subtype) == meant.replace("\r\n", "\n").removesuffix("\n")


def _subject(raw: bytes) -> str:
    """Return the subject as RFC 2047 reads it."""
    head = raw.partition(b"\r\n\r\n")[0].replace(b"\r\n ", b" ").decode()
    value = next(line for line in head.split("\r\n") if line.startswith("Subject: "))[9:]
    words = re.findall(r"=\?utf-8\?b\?([^?]*)\?=", value)
    return "".join(base64.b64decode(word).decode() for word in words) if words else value


def _body(message: EmailMessage, subtype: str) -> str:
    part: Any = message.get_body((subtype,))
    text: str = part.get_payload(decode=True).decode("utf-8")
    return text.replace("\r\n", "\n").removesuffix("\n")


@given(ANYTHING, ANYTHING, ANYTHING)
@settings(max_examples=deeper(200, 20_000), deadline=None)
def test_texts_stay_texts(subject: str, text: str, html: str) -> None:
    whole = Text(1, "en", lambda _: subject, lambda _: text, lambda _: html)
    check(WRITER.write(mail_of("Ada", "Lovelace", text=whole)))


@given(ANYTHING | st.text(max_size=30).map(lambda local: f"{local}@example.org"))
@settings(max_examples=deeper(500, 50_000), deadline=None)
def test_address_is_one_mailbox_or_refused(address: str) -> None:
    try:
        usable = mailbox(address)
    except UnusableAddressError:
        return
    assert usable.isascii()
    assert usable.isprintable()
    assert usable.count("@") == 1
    assert not set(usable) & set(' ,;:<>()[]"\\\r\n\0')
    [parsed_back] = parsed(f"To: {usable}\r\n\r\n".encode())["To"].addresses
    assert parsed_back.addr_spec == usable


@pytest.mark.parametrize(
    "address",
    [
        'ada@example.org"@evil.example',
        '"ada@evil.example"@example.org',
        "ada@example.org>\r\nRCPT TO:<eve@example.org",
        "ada@example.org\u2028eve@example.org",
        "ada\u202e@example.org",
        "ada@exam\u0000ple.org",
        "ada@example.org,eve@example.org",
        "ada@example.org;eve@example.org",
        "eve@evil.example (ada@example.org)",
        "=?utf-8?q?ada?=@example.org ",
    ],
)
def test_known_tricks_are_refused(address: str) -> None:
    with pytest.raises(UnusableAddressError):
        mailbox(address)


@given(ANYTHING)
@settings(max_examples=deeper(200, 10_000), deadline=None)
def test_sender_stays_one_mailbox(name: str) -> None:
    assume(name.encode("utf-8", "replace").decode() == name)
    sender = Sender("greetings@jubilee.example", name)
    assert "\r" not in from_header(sender)
    assert "\n" not in from_header(sender)
    message = parsed(MimeWriter(sender).write(mail_of("Ada", "Lovelace")))
    assert message.keys() == HEADERS
    [address] = message["From"].addresses
    assert address.addr_spec == "greetings@jubilee.example"
