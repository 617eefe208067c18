"""Rules for e-mail addresses: one plain mailbox on a host with a name."""

import re
from functools import lru_cache

import msgspec
from email_validator import EmailNotValidError, validate_email

from services.user.domain.errors import FieldRefusedError
from services.user.domain.texts import text_of

EMAIL_MAX = 254
_LOCAL_MAX = 64
# The plain case of RFC 5321's dot-string; anything else is put to the validator for its reason.
_DOT_STRING = re.compile(r"[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*")
_DOMAINS_REMEMBERED = 4096


class Address(msgspec.Struct, frozen=True):
    """An address ``given`` by its owner and the ``key`` by which it is compared.

    The key has the domain in lower case and A-labels (IDNA 2008) and is case-folded as a whole.
    """

    given: str
    key: str


def parse_email(value: object) -> str:
    """Return the address as given.

    Raises:
        FieldRefusedError: it is no text, longer than 254 characters, or not a plain mailbox:
            quoted, with a display name, a comment, an IP literal or a non-ASCII local part, on a
            name without a dot or reserved against mail. Domains kept for examples are accepted.
    """
    return _checked(text_of(value)).given


def address_of(email: str) -> Address:
    """Return the ``email``, which was accepted before, with its key."""
    return _checked(email)


def key_of(email: str) -> str:
    """Return the key of an ``email`` that was accepted before, without judging it again."""
    local, _, domain = email.rpartition("@")
    return _key(local, _ascii_domain(domain))


def deliverable(email: str) -> str:
    """Return the address as mail servers want it: the local part as given, an ASCII domain."""
    if email.isascii():
        return email
    local, _, domain = email.rpartition("@")
    return f"{local}@{_ascii_domain(domain)}"


def _checked(text: str) -> Address:
    if not text:
        raise FieldRefusedError("blank", "must not be blank")
    if len(text) > EMAIL_MAX:
        raise FieldRefusedError("too_long", f"must have at most {EMAIL_MAX} characters")
    local, _, domain = text.rpartition("@")
    try:
        if len(local) > _LOCAL_MAX or not _DOT_STRING.fullmatch(local):
            _validate(text)
        return Address(text, _key(local, _ascii_domain(domain)))
    except EmailNotValidError as error:
        raise FieldRefusedError(
            "invalid_email", "must be a plain e-mail address such as ada@example.com"
        ) from error


def _key(local: str, ascii_domain: str) -> str:
    key = f"{local}@{ascii_domain}".casefold()
    if len(key) > EMAIL_MAX:
        raise FieldRefusedError("too_long", f"must have at most {EMAIL_MAX} characters")
    return key


@lru_cache(maxsize=_DOMAINS_REMEMBERED)
def _ascii_domain(domain: str) -> str:
    return _validate(f"postmaster@{domain}")


def _validate(text: str) -> str:
    validated = validate_email(
        text,
        allow_smtputf8=False,
        check_deliverability=False,
        test_environment=True,
        strict=True,
    )
    return validated.ascii_domain or validated.domain
