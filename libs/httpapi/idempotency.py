"""The ``Idempotency-Key`` header: its form, and what makes two requests the same."""

import hashlib
import re
from typing import Any, Final

import msgspec
from litestar import Request

from libs.httpapi.problems import Problem

HEADER: Final = "Idempotency-Key"
WRITING: Final = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PARAMETER: Final[dict[str, Any]] = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "1 to 255 visible ASCII characters. The same key and request get the first"
    " answer again; JSON bodies are the same if they say the same. Another request gives 422, one"
    " still under way 409.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
"""How OpenAPI tells of the header."""

_FORM: Final = re.compile(r"[\x21-\x7e]{1,255}")


def idempotency_key(request: Request[Any, Any, Any]) -> str | None:
    """Return the key the client sent, None if it sent none.

    Raises:
        Problem: 400, unless it is 1 to 255 visible ASCII characters.
    """
    key: str | None = request.headers.get(HEADER)
    return None if key is None else check_key(key)


def check_key(key: str) -> str:
    """Return ``key`` as it is.

    Raises:
        Problem: 400, unless it is 1 to 255 visible ASCII characters.
    """
    if not _FORM.fullmatch(key):
        detail = "use 1 to 255 visible ASCII characters"
        raise Problem(400, "bad_idempotency_key", "The idempotency key is malformed", detail)
    return key


def reused() -> Problem:
    """Return the refusal of a key that came with another request before."""
    title = "The idempotency key was used for another request"
    return Problem(422, "idempotency_key_reused", title)


def in_progress() -> Problem:
    """Return the answer to a copy that arrives while the first request is under way."""
    title = "The first request with this idempotency key is still under way"
    return Problem(409, "idempotency_in_progress", title, headers={"Retry-After": "1"})


def fingerprint(method: str, path: str, body: bytes) -> bytes:
    """Return what tells one request from another under the same key.

    Two bodies of JSON are the same if they say the same: neither white space nor the order of
    fields counts, for a client that repeats a request may well write it anew.
    """
    return hashlib.sha256(b"\0".join([method.encode(), path.encode(), _canonical(body)])).digest()


def _canonical(body: bytes) -> bytes:
    try:
        return msgspec.json.encode(msgspec.json.decode(body), order="deterministic")
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return body
