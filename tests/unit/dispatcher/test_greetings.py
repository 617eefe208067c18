"""Greetings: the recipient's language, a safe subject, and an address that is one mailbox."""

from typing import Any

import msgspec
import pytest

from contracts.kinds import KINDS, Template
from contracts.kinds.birthday import BIRTHDAY
from libs.ids import new_id, occurrence_uuid
from services.dispatcher.domain.address import UnusableAddressError, mailbox, normal_address
from services.dispatcher.domain.delivery import Claim, Recipient, Writing
from services.dispatcher.domain.greeting import Greetings, Mail
from services.dispatcher.domain.template import TemplateError
from tests.support.deliveries import NINE, a_request


def in_german(text: str) -> Template:
    return Template(subject=text, text=text, html=text)


TRANSLATED = msgspec.structs.replace(
    BIRTHDAY,
    templates=BIRTHDAY.templates
    | {
        "de": in_german("Liebe {{ first_name }}"),
        "zh-Hant": in_german("{{ first_name }} 生日快樂"),
    },
)


def rendered(**changes: Any) -> Mail:
    fields = {"email": "ada@example.org", "first_name": "Ada", "last_name": "L", "locale": "en"}
    claim = Claim(a_request(new_id()), Recipient(**(fields | changes)), 0, Writing(NINE, 0))
    greetings = Greetings({"birthday": TRANSLATED}, message_domain="jubilee.example")
    return greetings.render(claim, greetings.texts.best("birthday", claim.recipient.locale))


@pytest.mark.parametrize(
    ("locale", "text"),
    [
        ("de", "Liebe Ada"),
        ("de-AT", "Liebe Ada"),
        ("DE-at-1996", "Liebe Ada"),
        ("zh-Hant-TW", "Ada 生日快樂"),
        ("zh-Hans", "Hey, Ada L it's your birthday"),
        ("", "Hey, Ada L it's your birthday"),
    ],
)
def test_greeting_speaks_the_nearest_language(locale: str, text: str) -> None:
    assert rendered(locale=locale).text == text


@pytest.mark.parametrize(
    "first_name",
    [
        "A\r\nBcc: eve@example.org",
        "A\x00da",
        "A\x0bda",
        "A\x85da",
        "A\u2028da",
        "A\u202eda",
        "\ud800",
    ],
)
def test_subject_is_one_line_without_controls(first_name: str) -> None:
    subject = rendered(first_name=first_name).subject
    assert subject.isprintable()
    assert subject.startswith("Happy birthday, ")


def test_joined_emoji_stay_joined() -> None:
    assert "👩‍👩‍👧" in rendered(first_name="👩‍👩‍👧").subject


def test_message_id_is_the_same_for_every_attempt() -> None:
    mail = rendered()
    assert mail.message_id == f"{occurrence_uuid(mail.occurrence)}@jubilee.example"


def test_broken_template_is_refused_at_start_with_its_place() -> None:
    broken = msgspec.structs.replace(BIRTHDAY, templates={"en": in_german("{{ ssn }}")})
    with pytest.raises(TemplateError, match="kind 'birthday', language 'en': line 1"):
        Greetings(KINDS | {"birthday": broken}, message_domain="jubilee.example")


@pytest.mark.parametrize(
    "email",
    [
        "a@example.org, b@example.org",
        "a@example.org\r\nRCPT TO:<b@example.org>",
        "Ada <a@example.org>",
        '"a b"@example.org',
        "a(b)@example.org",
        "alice@example.org)bob@example.com",
        "ä@example.org",
        "a@example",
        "a@example.org.",
        "a..b@example.org",
        "a@[127.0.0.1]",
        "a@-x.org",
        f"{'a' * 65}@example.org",
        "a@" + "b" * 60 + ("." + "b" * 60) * 4,
        "@example.org",
        "a",
        "",
        "a@example.org\x00",
    ],
)
def test_address_that_is_not_one_plain_mailbox_is_refused(email: str) -> None:
    with pytest.raises(UnusableAddressError):
        mailbox(email)


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("Ada.L+x@Example.org", "Ada.L+x@Example.org"),
        ("ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("o'neill@example.co.uk", "o'neill@example.co.uk"),
    ],
)
def test_mailbox_is_ascii(email: str, expected: str) -> None:
    assert mailbox(email) == expected


def test_equal_addresses_have_one_normal_form() -> None:
    assert normal_address(" Ada@BÜCHER.example") == normal_address("ada@xn--bcher-kva.EXAMPLE")
