"""Who calls, and what each may do: guards of routes, and callers by key or token."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import msgspec
from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from libs.httpapi.keys import ApiKeys, Caller
from libs.httpapi.parameters import check_parameters
from libs.httpapi.problems import standard_problem

_DOTS_OF_TOKEN: Final = 2


class Subject(msgspec.Struct, frozen=True):
    """Whom a valid token names, and what it permits."""

    name: str
    scopes: frozenset[str]


class Tokens(Protocol):
    """Judges tokens of a trusted issuer."""

    async def find_subject(self, token: str) -> Subject | None:
        """Return whom a valid token names, None for every other text."""
        ...


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
