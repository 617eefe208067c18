"""The link by which someone ends mails of one kind (RFC 8058): nothing is kept to know it again.

A token is the person's opaque id, a keyed hash and the kind's name: who has no key cannot make
one, and it says nothing about the person.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Sequence
from uuid import UUID

import msgspec

ONE_CLICK = "List-Unsubscribe=One-Click"
"""What a mailbox provider posts to the link, word for word."""

LINK_PATTERN = r"^[A-Za-z0-9_-]{44,96}$"

_ID_BYTES, _HASH_BYTES = 16, 16
_LINK_END = re.compile(LINK_PATTERN)
_KIND = re.compile(rb"[a-z][a-z0-9_]{0,39}")


class Unsubscribing(msgspec.Struct, frozen=True):
    """Who does not want which kind any more."""

    person_id: UUID
    kind: str


class UnsubscribeLinks:
    """Makes links below ``url`` with the first key and knows those made with any of ``keys``."""

    def __init__(self, url: str, keys: Sequence[bytes]) -> None:
        self._url = url.rstrip("/")
        self._keys = tuple(keys)

    def url(self, person_id: UUID, kind: str) -> str:
        """Return the link: the same one for as long as the key is the same."""
        return f"{self._url}/{self.token(person_id, kind)}"

    def token(self, person_id: UUID, kind: str) -> str:
        """Return the link's last part."""
        named = person_id.bytes + kind.encode("ascii")
        packed = person_id.bytes + _hash(self._keys[0], named) + kind.encode("ascii")
        return base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=")

    def read(self, token: str) -> Unsubscribing | None:
        """Return what a token says; None where nobody with a key of ours made it."""
        packed = _unpacked(token)
        if packed is None:
            return None
        person, given = packed[:_ID_BYTES], packed[_ID_BYTES : _ID_BYTES + _HASH_BYTES]
        kind = packed[_ID_BYTES + _HASH_BYTES :]
        made = [hmac.compare_digest(given, _hash(key, person + kind)) for key in self._keys]
        if not any(made) or not _KIND.fullmatch(kind):
            return None
        return Unsubscribing(UUID(bytes=person), kind.decode("ascii"))


def _hash(key: bytes, named: bytes) -> bytes:
    return hmac.digest(key, b"jubilee/unsubscribe/" + named, hashlib.sha256)[:_HASH_BYTES]


def _unpacked(token: str) -> bytes | None:
    """Return the bytes of a token; None for any but the one way to write them."""
    if not _LINK_END.fullmatch(token):
        return None
    try:
        packed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except (ValueError, binascii.Error):
        return None
    is_exact = base64.urlsafe_b64encode(packed).decode("ascii").rstrip("=") == token
    return packed if is_exact and len(packed) > _ID_BYTES + _HASH_BYTES else None
