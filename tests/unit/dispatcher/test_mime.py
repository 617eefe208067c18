"""The direct MIME writer, judged by the standard library's parser."""

import email
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.adapters.mime import MimeWriter, Sender, from_header, unstructured
from services.dispatcher.domain.greeting import Mail
from tests.support.deliveries import NINE

WRITER = MimeWriter(Sender("greetings@jubilee.example", "Jubilee"))

SUBJECTS = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=120).map(
    str.strip
)
BODIES = st.text(
    st.characters(codec="utf-8", exclude_characters="\x00\r", exclude_categories=["Cs"]),
    max_size=400,
)


def a_mail(**changes: Any) -> Mail:
    fields: dict[str, Any] = {
        "occurrence": "2026-06-14/01900000-0000-7000-8000-000000000000/birthday",
        "message_id": "6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21@jubilee.example",
        "recipient": "ada@example.org",
        "subject": "Happy birthday, Ada!",
        "text": "Hey, Ada Lovelace it's your birthday",
        "html": "<p>Hey</p>",
    } | changes
    return Mail(**fields, sent_at=NINE)


def parsed(mail: Mail) -> EmailMessage:
    raw = WRITER.write(mail)
    message = email.message_from_bytes(raw, policy=SMTP)
    assert isinstance(message, EmailMessage)
    assert all(len(line) <= 998 for line in raw.split(b"\r\n"))
    assert b"\n" not in raw.replace(b"\r\n", b"")
    return message


def text_of(message: EmailMessage, subtype: str) -> str:
    part = message.get_body((subtype,))
    assert part is not None
    raw = part.get_payload(decode=True)
    assert isinstance(raw, bytes)
    return raw.decode("utf-8").replace("\r\n", "\n").removesuffix("\n")


@given(SUBJECTS, BODIES, BODIES)
def test_mail_reads_back_as_it_was_meant(subject: str, text: str, html: str) -> None:
    message = parsed(a_mail(subject=subject, text=text, html=html))
    assert (message.defects, [part.defects for part in message.iter_parts()]) == ([], [[], []])
    assert str(message["Subject"]) == subject
    assert text_of(message, "plain") == text.removesuffix("\n")
    assert text_of(message, "html") == html.removesuffix("\n")


def test_headers_are_exactly_ours() -> None:
    message = parsed(a_mail())
    assert {name: str(value) for name, value in message.items()} == {
        "From": "Jubilee <greetings@jubilee.example>",
        "To": "ada@example.org",
        "Subject": "Happy birthday, Ada!",
        "Date": "Sun, 14 Jun 2026 09:00:00 +0000",
        "Message-ID": "<6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21@jubilee.example>",
        "X-Jubilee-Occurrence": "2026-06-14/01900000-0000-7000-8000-000000000000/birthday",
        "Auto-Submitted": "auto-generated",
        "MIME-Version": "1.0",
        "Content-Type": 'multipart/alternative; boundary="=_6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21"',
    }


@pytest.mark.parametrize(
    "body",
    [
        "--=_6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21--",
        ".\n.\nQUIT",
        "From the beginning",
        "x" * 2000,
        "trailing \nblanks ",
        "",
    ],
    ids=["boundary", "dots", "mbox From", "long line", "blanks", "empty"],
)
def test_body_that_looks_like_something_else_stays_a_body(body: str) -> None:
    message = parsed(a_mail(text=body))
    assert text_of(message, "plain") == body
    assert len(list(message.iter_parts())) == 2


@pytest.mark.parametrize("subject", ["=?utf-8?q?not_encoded?=", "=?x", "ü" * 300, "👩‍👩‍👧" * 40])
def test_subject_that_could_be_misread_is_encoded(subject: str) -> None:
    value = unstructured(subject)
    assert all(len(line) <= 76 for line in f"Subject: {value}".split("\r\n"))
    assert str(parsed(a_mail(subject=subject))["Subject"]) == subject


@pytest.mark.parametrize("name", ["Jubilee", "", "Jürgen", "Doe, John", 'A "quoted" one', "a@b"])
def test_sender_reads_back_with_one_mailbox(name: str) -> None:
    message = email.message_from_string(
        f"From: {from_header(Sender('g@jubilee.example', name))}\r\n\r\n", policy=SMTP
    )
    [address] = message["From"].addresses
    assert (address.display_name, address.addr_spec) == (name, "g@jubilee.example")
