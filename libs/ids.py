"""Identifiers: time-ordered ones for new things, lasting ones for occurrences."""

import hashlib
import os
import re
import time
from datetime import date
from uuid import UUID

_OCCURRENCES = UUID("6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21")
_NAMED = hashlib.sha1(_OCCURRENCES.bytes, usedforsecurity=False)
_VARIANTS = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))
_48_BITS = (1 << 48) - 1
_VERSION_AND_VARIANT = 0x7 << 76 | 0x2 << 62
_RANDOM_BITS = (1 << 80) - 1 & ~(0xF << 76 | 0x3 << 62)
_KEY = re.compile(r"(\d{4}-\d{2}-\d{2})/([0-9a-f-]{36})/([a-z][a-z0-9_]*)")


def new_id() -> UUID:
    """Return a new UUIDv7 (RFC 9562, 5.7): 48 bits of Unix milliseconds, then random bits."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10), "big")
    value = (milliseconds & _48_BITS) << 80 | random & _RANDOM_BITS | _VERSION_AND_VARIANT
    return UUID(int=value)


def occurrence_key(local_day: date, person_id: UUID, kind: str) -> str:
    """Return the name an occurrence bears for ever: ``2026-06-14/<person>/<kind>``.

    Every request, mail and event needs one, and ``str`` of a UUID takes twice as long.
    """
    digits = person_id.bytes.hex()
    return (
        f"{local_day.isoformat()}/{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}"
        f"-{digits[20:]}/{kind}"
    )


def parse_occurrence_key(key: str) -> tuple[date, UUID, str]:
    """Return the local day, the person and the kind that ``key`` names.

    Raises:
        ValueError: ``key`` is not an occurrence key.
    """
    match = _KEY.fullmatch(key)
    if match is None:
        raise ValueError(f"not an occurrence key: {key!r}")
    return date.fromisoformat(match[1]), UUID(match[2]), match[3]


def occurrence_uuid(key: str) -> str:
    """Return the UUIDv5 of an occurrence key: a provider's idempotency key, a Message-ID.

    Written out here, as text: every mail needs one, and ``uuid.uuid5`` takes five times as long.
    """
    named = _NAMED.copy()
    named.update(key.encode())
    digits = named.hexdigest()
    variant = _VARIANTS[digits[16]]
    return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:32]}"
