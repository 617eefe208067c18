"""Greetings: the recipient's language, a safe subject, and an address that is one mailbox."""

from datetime import date
from typing import Any

import msgspec
import pytest

from contracts.kinds import KINDS, Template
from contracts.kinds.birthday import BIRTHDAY
from deploy.demo.wording import wording_in
from libs.ids import new_id, occurrence_uuid
from services.dispatcher.domain.address import UnusableAddressError, mailbox, normal_address
from services.dispatcher.domain.delivery import Claim, Recipient, Writing
from services.dispatcher.domain.greeting import Greetings, Mail, RenderingError, english_ordinal
from services.dispatcher.domain.template import TemplateError
from services.planner.domain.decision import years_on
from services.planner.domain.origin import Origin
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


def written(kind: str, *, locale: str = "en", years: int | None = None) -> Mail:
    """Return the mail of a kind as it ships, or with its ordinal where ``kind`` is "aged"."""
    aged = Template(
        subject="Your {{ ordinal }}",
        text="Happy{% if ordinal %} {{ ordinal }}{% endif %} birthday, {{ first_name }}",
        html="{{ first_name }}",
    )
    kinds = KINDS | {"aged": msgspec.structs.replace(BIRTHDAY, name="aged", templates={"en": aged})}
    greetings = Greetings(kinds, message_domain="jubilee.example")
    recipient = Recipient("ada@example.org", "Ada", "Lovelace", locale)
    claim = Claim(a_request(new_id(), kind=kind, years=years), recipient, 0, Writing(NINE, 0))
    return greetings.render(claim, greetings.texts.best(kind, locale))


@pytest.mark.parametrize("locale", ["en", "de", "fr", "es", "ja"])
@pytest.mark.parametrize("years", [None, 0, 1, 2, 50])
def test_each_language_says_what_was_agreed(locale: str, years: int | None) -> None:
    wording = wording_in(locale)
    names = {"first": "Ada", "last": "Lovelace"}
    counted = {None: "", 0: "", 1: wording.one_year}.get(years, f"{wording.years}")
    assert written("birthday", locale=locale, years=years).text == wording.birthday.format(**names)
    assert written("anniversary", locale=locale, years=years).text == (
        wording.anniversary.format(**names) + counted.format(years=years)
    )


@pytest.mark.parametrize(
    ("years", "text"),
    [
        pytest.param(None, "Happy birthday, Ada", id="age unknown"),
        pytest.param(0, "Happy birthday, Ada", id="EC-BD-021 age 0"),
        pytest.param(1, "Happy 1st birthday, Ada", id="EC-BD-022 age 1"),
        pytest.param(2, "Happy 2nd birthday, Ada", id="age 2"),
        pytest.param(11, "Happy 11th birthday, Ada", id="age 11"),
        pytest.param(22, "Happy 22nd birthday, Ada", id="age 22"),
        pytest.param(124, "Happy 124th birthday, Ada", id="EC-BD-023 age over 120"),
    ],
)
def test_text_may_count_the_birthday(years: int | None, text: str) -> None:
    assert written("aged", years=years).text == text


@pytest.mark.edge_case("EC-BD-023")
def test_shipped_birthday_text_is_the_same_at_every_age() -> None:
    assert {written("birthday", years=years).text for years in (None, 0, 1, 30, 121, 127)} == {
        "Hey, Ada Lovelace it's your birthday"
    }


def test_ordinals_end_as_english_has_it() -> None:
    ordinals = {number: english_ordinal(number) or "" for number in range(1, 131)}
    endings = {
        ending: [number for number, ordinal in ordinals.items() if ordinal == f"{number}{ending}"]
        for ending in ("st", "nd", "rd", "th")
    }
    tens = [0, 20, 30, 40, 50, 60, 70, 80, 90, 100, 120]
    assert endings["st"] == [ten + 1 for ten in tens]
    assert endings["nd"] == [ten + 2 for ten in tens]
    assert endings["rd"] == [ten + 3 for ten in tens]
    assert sum(len(numbers) for numbers in endings.values()) == 130


@pytest.mark.parametrize(
    ("years", "ending"),
    [
        pytest.param(0, "anniversary", id="EC-AN-006 zero years"),
        pytest.param(50, ": 50 years", id="EC-AN-008 fifty years"),
        pytest.param(101, ": 101 years", id="EC-AN-008 a hundred and one years"),
    ],
)
def test_anniversary_counts_its_years(years: int, ending: str) -> None:
    text = written("anniversary", years=years).text
    assert text.startswith("Hey, Ada Lovelace it's your anniversary")
    assert text.endswith(ending)


@pytest.mark.edge_case("EC-BD-024")
@pytest.mark.parametrize(("year", "age"), [(2025, 25), (2026, 26), (2028, 28)])
def test_age_of_someone_born_on_29_february_is_right_on_28_february(year: int, age: int) -> None:
    born = Origin(2000, 2, 29)
    day = date(year, 2, 29 if year % 4 == 0 else 28)
    assert years_on(day, BIRTHDAY, born) == age
    assert f" {english_ordinal(age)} " in written("aged", years=age).text


def test_text_that_cannot_be_filled_is_told_without_its_values() -> None:
    broken = in_german("{% if first_name > 3 %}x{% endif %}")
    greetings = Greetings(
        {"birthday": msgspec.structs.replace(BIRTHDAY, templates={"en": broken})},
        message_domain="jubilee.example",
    )
    recipient = Recipient("ada@example.org", "Ada", "Lovelace", "en")
    claim = Claim(a_request(new_id()), recipient, 0, Writing(NINE, 0))
    with pytest.raises(RenderingError) as caught:
        greetings.render(claim, greetings.texts.best("birthday", "en"))
    assert "Ada" not in str(caught.value)
