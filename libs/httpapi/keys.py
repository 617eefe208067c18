"""API keys: whom each names, what each permits, and the file they are kept in."""

import hashlib
import hmac
import logging
import secrets
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import msgspec

from libs.clock import monotonic_s
from libs.runtime.process import StartupError

logger = logging.getLogger(__name__)

SCOPES: Final = (
    "users:read",
    "users:write",
    "users:export",
    "events:read",
    "plans:read",
    "deliveries:read",
    "ops:redrive",
    "ops:pause",
    "ops:templates",
)
RELOAD_AFTER_S: Final = 2.0
"""A key taken out of the file stops working within this time."""

_SECRET_BYTES: Final = 32
_NO_HASH: Final = "0" * 64


class ApiKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One key as it is stored: the SHA-256 of its secret, never the secret.

    The secret has 256 random bits, so a slow hash would protect nothing more.
    """

    id: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    hash: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
    scopes: frozenset[str]


class KeysFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file ``…_API_KEYS_FILE`` names."""

    keys: list[ApiKey]


class Caller(msgspec.Struct, frozen=True):
    """Who sent a request: the id of an API key, or ``jwt:`` and the subject of a token."""

    key_id: str
    scopes: frozenset[str]


class ApiKeys:
    """The keys that are valid now; those of a file follow the file."""

    def __init__(self, keys: Iterable[ApiKey], *, path: Path | None = None) -> None:
        self._keys = {key.id: key for key in keys}
        self._path = path
        self._changed_ns = _changed_ns(path)
        self._looked_s = monotonic_s()

    def find_caller(self, token: str) -> Caller | None:
        """Return whose ``<id>.<secret>`` this is, None if it is nobody's.

        Takes the same time for a wrong id as for a wrong secret.
        """
        self._follow_file()
        key_id, _, secret = token.partition(".")
        key = self._keys.get(key_id)
        given = hashlib.sha256(secret.encode()).hexdigest()
        is_right = hmac.compare_digest(given, key.hash if key else _NO_HASH)
        return Caller(key.id, key.scopes) if key and is_right else None

    def _follow_file(self) -> None:
        now_s = monotonic_s()
        if self._path is None or now_s - self._looked_s < RELOAD_AFTER_S:
            return
        self._looked_s = now_s
        changed_ns = _changed_ns(self._path)
        if changed_ns == self._changed_ns:
            return
        self._changed_ns = changed_ns
        try:
            self._keys = {key.id: key for key in _read_keys(self._path)}
        except StartupError as error:
            # Half-written or gone: the keys we know keep working, the operator is told.
            logger.error("api_keys.unreadable", extra={"reason": str(error)})  # noqa: TRY400


def new_key(key_id: str, scopes: Iterable[str] = SCOPES) -> tuple[ApiKey, str]:
    """Return a new key to store and the token ``<id>.<secret>`` to hand out, shown once."""
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    hashed = hashlib.sha256(secret.encode()).hexdigest()
    return ApiKey(key_id, hashed, frozenset(scopes)), f"{key_id}.{secret}"


def load_api_keys(
    path: str | None, *, env: str, variable: str, scopes: Sequence[str] = SCOPES
) -> ApiKeys:
    """Return the keys of the file; without a file, outside of production, one that is printed.

    Raises:
        StartupError: production without a file, or a file that cannot be used.
    """
    if path:
        return ApiKeys(_read_keys(Path(path)), path=Path(path))
    if env == "production":
        raise StartupError(f"{variable} is not set: production needs a file of API keys")
    key, token = new_key("demo", scopes)
    sys.stderr.write(f"No {variable}: this API key works until the process ends: {token}\n")
    return ApiKeys([key])


def _read_keys(path: Path) -> list[ApiKey]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=KeysFile).keys
    except OSError as error:
        raise StartupError(f"cannot read the API keys in {path}: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise StartupError(f"the API keys in {path} are malformed: {error}") from error


def _changed_ns(path: Path | None) -> int | None:
    try:
        return path.stat().st_mtime_ns if path else None
    except OSError:
        return None
