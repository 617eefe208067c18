"""E-mail addresses: the form in which two are the same, and the form a mail can go to."""

import re

import idna

_MAILBOX = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
)
_MAX_CHARACTERS = 254
_MAX_LOCAL_CHARACTERS = 64


class UnusableAddressError(ValueError):
    """No mail can go to this address, however often it is tried."""

    def __init__(self) -> None:
        super().__init__("the address is not one plain mailbox")


def normal_address(email: str) -> str:
    """Return the form in which equal addresses are equal: domain in IDNA, all case-folded."""
    local, _, domain = email.strip().rpartition("@")
    return f"{local}@{_ascii_domain(domain)}".casefold()


def mailbox(email: str) -> str:
    """Return ``email`` as SMTP wants it: exactly one plain ASCII mailbox, the domain in IDNA.

    Nothing that passes can end a header or a command, name a second recipient or hide a comment.

    Raises:
        UnusableAddressError: it cannot be written so.
    """
    if not email.isascii():
        local, _, domain = email.rpartition("@")
        email = f"{local}@{_ascii_domain(domain)}"
    if (
        not _MAILBOX.fullmatch(email)
        or len(email) > _MAX_CHARACTERS
        or email.index("@") > _MAX_LOCAL_CHARACTERS
    ):
        raise UnusableAddressError
    return email


def _ascii_domain(domain: str) -> str:
    """Return the domain in A-labels, or as it is where that cannot be."""
    if domain.isascii():
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain.lower()
