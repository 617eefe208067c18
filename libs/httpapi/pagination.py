"""Keyset pages: a cursor is the position after the last row, opaque to clients."""

import base64
import binascii
import hashlib
from typing import Annotated, Final, Generic, TypeVar

import msgspec
from litestar.params import QueryParameter

from libs.httpapi.problems import Problem

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 500

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="Items in one page.")]
"""The type of a ``limit`` query parameter; its default is ``DEFAULT_LIMIT``."""
CursorText = Annotated[str | None, QueryParameter(description="The `next` of the page before.")]

Item = TypeVar("Item")
Position = TypeVar("Position", bound=msgspec.Struct)

_CHECK_BYTES: Final = 6


class Page(msgspec.Struct, Generic[Item], frozen=True):
    """Some items, and the cursor of the next page if there are more."""

    items: list[Item]
    next: str | None


def encode_cursor(position: msgspec.Struct, *, scope: str) -> str:
    """Return the position as URL-safe text that only works with the same ``scope``.

    ``scope`` names the list with its filters and order: a cursor of one list means nothing in
    another. It holds what its reader has just seen, so it is checked, not encrypted.
    """
    body = msgspec.json.encode(msgspec.structs.astuple(position))
    return base64.urlsafe_b64encode(_checksum(body, scope) + body).rstrip(b"=").decode()


def decode_cursor(text: str, kind: type[Position], *, scope: str) -> Position:
    """Return the position that ``encode_cursor`` was given.

    Raises:
        Problem: 400 ``bad_cursor``, if it was altered or belongs to another list.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        checksum, body = raw[:_CHECK_BYTES], raw[_CHECK_BYTES:]
        if checksum != _checksum(body, scope):
            raise _bad_cursor()
        values = msgspec.json.decode(body)
        names = [field.name for field in msgspec.structs.fields(kind)]
        return msgspec.convert(dict(zip(names, values, strict=True)), kind)
    except (binascii.Error, ValueError, TypeError) as error:
        raise _bad_cursor() from error


def _checksum(body: bytes, scope: str) -> bytes:
    key = hashlib.blake2b(scope.encode()).digest()
    return hashlib.blake2b(body, digest_size=_CHECK_BYTES, key=key).digest()


def _bad_cursor() -> Problem:
    detail = "begin again without a cursor, or use the one of the last page unchanged"
    return Problem(400, "bad_cursor", "The cursor does not belong to this list", detail)
