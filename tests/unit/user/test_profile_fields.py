"""Which values a field takes, what becomes of them, and why others are refused."""

from typing import Any

import msgspec
import pytest

from services.user.domain.emails import address_of, deliverable
from services.user.domain.errors import Invalid
from services.user.domain.profile import Profile, merge_profile, parse_profile
from tests.support.people import RULES, a_document, a_profile

LOCAL_64 = "x" * 64
EMAIL_254 = f"{LOCAL_64}@{'a' * 60}.{'b' * 60}.{'c' * 61}.abcde"
PERSIAN = "\u0645\u06cc\u200c\u062e\u0648\u0627"
FAMILY = "\N{MAN}\u200d\N{WOMAN}\u200d\N{GIRL}"

ACCEPTED: list[tuple[str, str, Any, Any]] = [
    ("EC-UD-001 name of 100", "first_name", "x" * 100, "x" * 100),
    ("EC-UD-001 100 joined emoji", "first_name", FAMILY * 100, FAMILY * 100),
    ("EC-UD-004 accents", "first_name", "Zoë", "Zoë"),
    ("EC-UD-004 CJK", "last_name", "山田", "山田"),
    ("EC-UD-005 emoji", "first_name", "Ada 🎂", "Ada 🎂"),
    ("EC-UD-007 outer blanks", "first_name", "  Ada\u3000", "Ada"),
    ("EC-UD-008 inner double blanks", "first_name", "Ada  B", "Ada  B"),
    ("EC-DV-005 SQL in a name", "last_name", "'; DROP TABLE people;--", "'; DROP TABLE people;--"),
    ("EC-DV-006 script tag", "first_name", "<script>x</script>", "<script>x</script>"),
    ("EC-DV-008 decomposed accent", "first_name", "Zoe\u0308", "Zoë"),
    ("EC-SEC-003 shell in a name", "first_name", "$(reboot)", "$(reboot)"),
    ("Persian with non-joiner", "first_name", PERSIAN, PERSIAN),
    ("EC-UD-009 valid e-mail", "email", "Ada@Example.com", "Ada@Example.com"),
    ("EC-UD-011 plus address", "email", "ada+cake@example.com", "ada+cake@example.com"),
    ("EC-UD-012 254 characters", "email", EMAIL_254, EMAIL_254),
    ("e-mail at .test", "email", "ada@jubilee.test", "ada@jubilee.test"),
    ("e-mail at .example", "email", "ada@mail.example", "ada@mail.example"),
    ("e-mail with unusual local part", "email", "o'neil!x@example.com", "o'neil!x@example.com"),
    ("e-mail at IDN", "email", "ada@bücher.example", "ada@bücher.example"),
    ("EC-TZ-001 IANA name", "timezone", "Asia/Kathmandu", "Asia/Kathmandu"),
    ("EC-TZ-007 wrong case", "timezone", "europe/BERLIN", "Europe/Berlin"),
    ("EC-TZ-008 deprecated alias", "timezone", "us/eastern", "US/Eastern"),
    ("EC-TZ-008 Kiev", "timezone", "Europe/Kiev", "Europe/Kiev"),
    ("EC-TZ-026 UTC+14", "timezone", "Pacific/Kiritimati", "Pacific/Kiritimati"),
    ("EC-TZ-027 UTC-12", "timezone", "Etc/GMT+12", "Etc/GMT+12"),
    ("EC-BD-005 EC-BD-017 leap day of 2000", "birthday", "2000-02-29", "2000-02-29"),
    ("EC-BD-009 no birthday", "birthday", None, None),
    ("EC-BD-021 born today", "birthday", "2026-06-14", "2026-06-14"),
    ("EC-BD-023 over 120", "birthday", "1900-01-01", "1900-01-01"),
    ("leap day of 2024", "birthday", "2024-02-29", "2024-02-29"),
    ("EC-DV-014 the epoch", "birthday", "1970-01-01", "1970-01-01"),
    ("year unknown", "birthday", "--06-14", "--06-14"),
    ("leap day, year unknown", "birthday", "--02-29", "--02-29"),
    ("EC-AN-010 none set", "anniversary", None, None),
    ("language", "locale", "PT-br", "pt-BR"),
    ("language with script", "locale", "zh-hant-tw", "zh-Hant-TW"),
    ("language with extension", "locale", "de-DE-u-co-phonebk", "de-DE-u-co-phonebk"),
    ("language removed", "locale", None, "en"),
    ("leap day in March", "leap_day", "mar1", "mar1"),
    ("opt-outs are a set", "opt_outs", ["birthday", "birthday"], ("birthday",)),
    ("external id of 128", "external_id", "x" * 128, "x" * 128),
    ("external id kept as given", "external_id", " 42", " 42"),
    ("city", "location_city", "São Paulo", "São Paulo"),
]


@pytest.mark.parametrize(
    ("name", "value", "kept"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED]
)
def test_value_is_accepted(name: str, value: Any, kept: Any) -> None:
    profile = parse_profile(a_document(**{name: value}), RULES)
    assert isinstance(profile, Profile), profile
    assert getattr(profile, name) == kept


REFUSED: list[tuple[str, str, Any, str]] = [
    ("EC-UD-002 name of 101", "first_name", "x" * 101, "too_long"),
    ("EC-UD-002 101 emoji", "first_name", FAMILY * 101, "too_long"),
    ("endless joined emoji", "first_name", "a" + "\u200da" * 600, "too_long"),
    ("EC-UD-003 empty name", "first_name", "", "blank"),
    ("EC-UD-006 only blanks", "last_name", " \u3000 ", "blank"),
    ("only invisible characters", "last_name", "\u200b\u200d", "blank"),
    ("EC-DV-002 null name", "first_name", None, "null"),
    ("EC-DV-004 NUL in name", "first_name", "A\0da", "forbidden_character"),
    ("line break in name", "first_name", "Ada\n", "forbidden_character"),
    ("bidi override in name", "first_name", "A\u202eda", "forbidden_character"),
    ("line separator in name", "first_name", "A\u2028da", "forbidden_character"),
    ("EC-DV-010 number for a name", "first_name", 1.5, "wrong_type"),
    ("bool for a name", "first_name", True, "wrong_type"),
    ("EC-SEC-005 operator for a name", "first_name", {"$ne": 1}, "wrong_type"),
    ("EC-UD-010 no at sign", "email", "ada", "invalid_email"),
    ("EC-UD-010 two addresses", "email", "a@example.com,b@example.com", "invalid_email"),
    ("EC-UD-010 display form", "email", "Ada <ada@example.com>", "invalid_email"),
    ("EC-UD-010 quoted local part", "email", '"a b"@example.com', "invalid_email"),
    ("EC-UD-010 quoted at sign", "email", '"a@b"@example.com', "invalid_email"),
    ("EC-UD-010 comment", "email", "ada(x)@example.com", "invalid_email"),
    ("EC-UD-010 line break", "email", "ada@example.com\r\nBcc: x@example.com", "invalid_email"),
    ("EC-UD-010 trailing line break", "email", "ada@example.com\n", "invalid_email"),
    ("EC-UD-010 outer blank", "email", " ada@example.com", "invalid_email"),
    ("EC-UD-010 no dot", "email", "ada@localhost", "invalid_email"),
    ("EC-UD-010 IP literal", "email", "ada@[192.0.2.1]", "invalid_email"),
    ("EC-UD-010 bare IP", "email", "ada@192.0.2.1", "invalid_email"),
    ("EC-UD-010 trailing dot", "email", "ada@example.com.", "invalid_email"),
    ("EC-UD-010 two dots", "email", "a..da@example.com", "invalid_email"),
    ("EC-UD-010 non-ASCII local part", "email", "ädä@example.com", "invalid_email"),
    ("EC-UD-010 local part of 65", "email", "x" * 65 + "@example.com", "invalid_email"),
    ("EC-UD-010 no local part", "email", "@example.com", "invalid_email"),
    ("EC-UD-010 reserved name", "email", "ada@host.invalid", "invalid_email"),
    ("EC-UD-013 255 characters", "email", "x" + EMAIL_254, "too_long"),
    ("EC-DV-001 empty e-mail", "email", "", "blank"),
    ("EC-SEC-001 SQL in e-mail", "email", "a' OR 1=1 --@example.com", "invalid_email"),
    ("EC-TZ-002 EST5", "timezone", "EST5", "unknown_time_zone"),
    ("EC-TZ-002 offset", "timezone", "+05:30", "unknown_time_zone"),
    ("EC-TZ-002 UTC+3", "timezone", "UTC+3", "unknown_time_zone"),
    ("EC-TZ-003 unknown", "timezone", "Mars/Phobos", "unknown_time_zone"),
    ("EC-TZ-003 folder", "timezone", "Europe", "unknown_time_zone"),
    ("EC-TZ-003 localtime", "timezone", "localtime", "unknown_time_zone"),
    ("EC-TZ-003 posixrules", "timezone", "posixrules", "unknown_time_zone"),
    ("EC-TZ-003 Factory", "timezone", "Factory", "unknown_time_zone"),
    ("EC-TZ-003 right", "timezone", "right/UTC", "unknown_time_zone"),
    ("EC-TZ-004 empty", "timezone", "", "unknown_time_zone"),
    ("EC-TZ-005 null", "timezone", None, "null"),
    ("EC-TZ-006 path", "timezone", "../../etc/passwd", "unknown_time_zone"),
    ("EC-TZ-006 absolute path", "timezone", "/etc/localtime", "unknown_time_zone"),
    ("EC-TZ-006 NUL", "timezone", "Europe/Berlin\0", "unknown_time_zone"),
    ("EC-TZ-006 line break", "timezone", "Europe/Berlin\n", "unknown_time_zone"),
    ("EC-TZ-009 blanks inside", "timezone", "America/New York", "unknown_time_zone"),
    ("EC-TZ-010 over 64", "timezone", "x" * 65, "too_long"),
    ("EC-BD-004 EC-BD-016 29 February 1900", "birthday", "1900-02-29", "invalid_date"),
    ("EC-BD-008 31 September", "birthday", "1990-09-31", "invalid_date"),
    ("EC-BD-008 31 September, no year", "birthday", "--09-31", "invalid_date"),
    ("EC-BD-010 year 2100", "birthday", "2100-01-01", "date_in_future"),
    ("EC-BD-011 year 1850", "birthday", "1850-01-01", "date_too_early"),
    ("EC-BD-011 last day of 1899", "birthday", "1899-12-31", "date_too_early"),
    ("29 February 2023", "birthday", "2023-02-29", "invalid_date"),
    ("EC-BD-019 year 9999", "birthday", "9999-12-31", "date_in_future"),
    ("EC-BD-020 before Christ", "birthday", "-0044-03-15", "invalid_date"),
    ("EC-BD-020 year 0", "birthday", "0000-01-01", "invalid_date"),
    ("EC-BD-025 tomorrow", "birthday", "2026-06-15", "date_in_future"),
    ("EC-AN-009 future date", "anniversary", "2026-06-15", "date_in_future"),
    ("EC-DV-009 negative number", "birthday", -5, "wrong_type"),
    ("EC-DV-011 great number", "birthday", 2**60, "wrong_type"),
    ("EC-DV-013 nonsense", "birthday", "yesterday", "invalid_date"),
    ("EC-DV-015 year 3000", "birthday", "3000-01-01", "date_in_future"),
    ("with a time", "birthday", "1990-06-14T00:00", "invalid_date"),
    ("with a blank", "birthday", "1990-06-14 ", "invalid_date"),
    ("EC-DV-016 with offset", "birthday", "1990-06-14T00:00:00+02:00", "invalid_date"),
    ("other digits", "birthday", "١٩٩٠-٠٦-١٤", "invalid_date"),
    ("other order", "birthday", "14-06-1990", "invalid_date"),
    ("language with underscore", "locale", "pt_BR", "invalid_locale"),
    ("empty language", "locale", "", "invalid_locale"),
    ("leap day unknown", "leap_day", "feb29", "invalid_leap_day"),
    ("leap day list", "leap_day", [], "invalid_leap_day"),
    ("EC-DV-007 external id of 129", "external_id", "x" * 129, "too_long"),
    ("external id blank", "external_id", " ", "blank"),
    ("opt-outs no list", "opt_outs", "birthday", "wrong_type"),
    ("EC-DV-001 empty city", "location_city", "", "blank"),
    ("EC-DV-007 city of 101", "location_city", "x" * 101, "too_long"),
]


@pytest.mark.parametrize(
    ("name", "value", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED]
)
def test_value_is_refused(name: str, value: Any, code: str) -> None:
    refused = parse_profile(a_document(**{name: value}), RULES)
    assert isinstance(refused, Invalid)
    assert [(error.pointer, error.code) for error in refused.errors] == [(f"/{name}", code)]


@pytest.mark.edge_case("EC-DV-003", "EC-DV-017", "EC-DV-018")
def test_every_fault_is_told_at_once() -> None:
    """Missing and unknown fields beside wrong ones."""
    document = {"first_name": "", "nick/name": "x", "timezone": "EST5", "opt_outs": ["birthday", 7]}
    refused = parse_profile(document, RULES)
    assert isinstance(refused, Invalid)
    assert {(error.pointer, error.code) for error in refused.errors} == {
        ("/first_name", "blank"),
        ("/nick~1name", "unknown_field"),
        ("/timezone", "unknown_time_zone"),
        ("/opt_outs/1", "unknown_kind"),
        ("/last_name", "missing"),
        ("/email", "missing"),
    }


@pytest.mark.edge_case("EC-BD-011")
def test_bound_of_dates_is_named() -> None:
    refused = parse_profile(a_document(birthday="1850-01-01"), RULES)
    assert isinstance(refused, Invalid)
    assert "1900-01-01" in refused.errors[0].detail


@pytest.mark.parametrize(
    ("anniversary", "is_valid"),
    [
        pytest.param("1990-06-13", False, id="EC-AN-003 before the birthday"),
        pytest.param("1990-06-14", False, id="EC-AN-004 on the birthday"),
        pytest.param("1990-06-15", True, id="after the birthday"),
        pytest.param("--06-13", True, id="year unknown"),
    ],
)
def test_anniversary_lies_after_the_birthday(anniversary: str, is_valid: bool) -> None:
    parsed = parse_profile(a_document(birthday="1990-06-14", anniversary=anniversary), RULES)
    assert isinstance(parsed, Profile) is is_valid
    if isinstance(parsed, Invalid):
        assert [error.pointer for error in parsed.errors] == ["/anniversary"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("Ada@Example.COM", "ada@example.com", id="case"),
        pytest.param("a@bücher.example", "a@xn--bcher-kva.example", id="IDN and A-label"),
        pytest.param("a@BÜCHER.example", "a@bücher.example", id="case of an IDN"),
    ],
)
def test_addresses_alike_have_one_key(one: str, other: str) -> None:
    assert address_of(one).key == address_of(other).key


def test_address_is_told_with_an_ascii_domain() -> None:
    assert deliverable("Ada@bücher.example") == "Ada@xn--bcher-kva.example"


def test_patch_leaves_what_it_does_not_name() -> None:
    profile = a_profile(birthday="1990-06-14", external_id="7")
    merged = merge_profile(profile, {"first_name": "Augusta", "external_id": None}, RULES)
    assert merged == msgspec.structs.replace(profile, first_name="Augusta", external_id=None)


def test_patch_may_not_remove_a_required_field() -> None:
    refused = merge_profile(a_profile(), {"email": None}, RULES)
    assert isinstance(refused, Invalid)
    assert [(error.pointer, error.code) for error in refused.errors] == [("/email", "null")]


def test_patched_birthday_is_compared_with_the_anniversary_there() -> None:
    profile = a_profile(birthday="1990-06-14", anniversary="2015-05-05")
    refused = merge_profile(profile, {"birthday": "2016-01-01"}, RULES)
    assert isinstance(refused, Invalid)


def test_patch_does_not_judge_the_rest_again() -> None:
    kept = msgspec.structs.replace(a_profile(), timezone="Old/Zone_Gone_Since")
    assert isinstance(merge_profile(kept, {"first_name": "Augusta"}, RULES), Profile)
