"""API keys and tokens: who calls, and what each may do."""

import hashlib
import hmac
import logging
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from libs.clock import monotonic_s
from libs.httpapi.parameters import check_parameters
from libs.httpapi.problems import standard_problem
from libs.httpapi.tokens import Tokens
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
_DOTS_OF_TOKEN: Final = 2


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


class Callers:
    """Everybody who may call: by API key, and by token where an issuer is trusted."""

    def __init__(self, keys: ApiKeys, tokens: Tokens | None = None) -> None:
        self._keys = keys
        self._tokens = tokens

    async def find(self, headers: Mapping[bytes, bytes]) -> Caller | None:
        """Return who shows a valid key or token in these headers, None if nobody does."""
        credential = _credential(headers)
        if credential is None:
            return None
        # A key has one dot, a token two: no text is tried as both.
        if self._tokens is None or credential.count(".") != _DOTS_OF_TOKEN:
            return self._keys.find_caller(credential)
        subject = await self._tokens.find_subject(credential)
        return None if subject is None else Caller(subject.name, subject.scopes)


class Requirement:
    """A guard that admits only callers with ``scope``; None admits everybody."""

    def __init__(self, scope: str | None) -> None:
        self.scope = scope

    # Litestar would run a guard that is not a coroutine in a thread: ten times the cost.
    async def __call__(
        self, connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        """Refuse with 401 or 403, or note the caller as ``request.auth``."""
        if self.scope is None:
            return
        caller: Caller | None = connection.scope["state"].get("caller")
        if caller is None:
            detail = "send Authorization: Bearer <key or token>"
            raise standard_problem(401, detail, WWW_Authenticate="Bearer")
        if self.scope not in caller.scopes:
            raise standard_problem(403, f"this needs the scope {self.scope}")
        connection.scope["auth"] = caller
        check_parameters(connection, handler)


def require(scope: str) -> Requirement:
    """Return the guard for routes that need ``scope``; it appears in the documentation too."""
    return Requirement(scope)


def is_write(handler: BaseRouteHandler | None) -> bool:
    """Tell whether a route changes anything: its scope says so, a POST may merely ask."""
    guards = handler.resolve_guards() if handler else ()
    scopes = [guard.scope for guard in guards if isinstance(guard, Requirement) and guard.scope]
    return any(not scope.endswith(":read") for scope in scopes)


PUBLIC: Final = Requirement(None)
"""The guard of routes that need no key: every route says which it is."""


def _credential(headers: Mapping[bytes, bytes]) -> str | None:
    scheme, _, credential = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer":
        return credential.strip()
    key = headers.get(b"x-api-key")
    return None if key is None else key.decode("latin-1")


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
