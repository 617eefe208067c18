"""JSON Web Tokens: callers an issuer vouches for, beside API keys (RFC 7519, RFC 8725, RFC 9068).

Time is real here, whatever the calendar of a demo shows: the issuer's clock knows nothing of ours.
"""

import asyncio
import hashlib
import logging
import re
from pathlib import Path
from typing import Any, Final

import aiohttp
import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from libs.clock import monotonic_s, unix_s
from libs.httpapi.auth import Subject
from libs.runtime.process import StartupError

logger = logging.getLogger(__name__)

LEEWAY_S: Final = 30
"""How far the issuer's clock may differ from ours."""
LIFETIME_MAX_S: Final = 3600
"""A token that lives longer is refused: nobody can take it back before it ends."""
REFRESH_AFTER_S: Final = 600.0
"""Keys older than that are fetched anew, while the old ones go on working."""
REFRESH_FLOOR_S: Final = 10.0
"""However many unknown keys are named, the issuer is not asked more often."""
FETCH_TIMEOUT_S: Final = 5.0

_MAX_SET_BYTES: Final = 256 * 1024
_MAX_TOKEN_CHARS: Final = 8 * 1024
_MIN_RSA_BITS: Final = 2048
_MAX_REMEMBERED: Final = 1000
_REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub")
_TYPES: Final = frozenset({None, "JWT", "at+jwt", "application/at+jwt"})
_OPEN_NAME: Final = re.compile(r"[A-Za-z0-9_.|:-]{1,64}")


class _Key(msgspec.Struct, frozen=True):
    """A public key and the only algorithm it may be used with."""

    algorithm: str
    public: Any


class _Verified(msgspec.Struct, frozen=True):
    subject: Subject
    until_s: float


class KeySet:
    """The issuer's public keys, from a file or a URL; the last good ones are kept in an outage."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._keys: dict[str, _Key] = {}
        self._asked_s: float | None = None
        self._asking = asyncio.Lock()
        self.changes = 0

    async def find(self, key_id: str) -> _Key | None:
        """Return the key of that id, asking the issuer for keys it may have made since."""
        is_due = key_id not in self._keys and self._age_s() > REFRESH_FLOOR_S
        if is_due or self.is_stale:
            await self.refresh()
        elif key_id not in self._keys:
            async with self._asking:  # what is being asked for may hold it
                pass
        return self._keys.get(key_id)

    @property
    def is_stale(self) -> bool:
        """Whether the issuer should be asked whether the keys are still the same."""
        return self._age_s() > REFRESH_AFTER_S

    async def refresh(self) -> None:
        """Take the issuer's present keys; where they cannot be had, those known go on working."""
        asked_s = self._asked_s
        async with self._asking:
            if self._asked_s != asked_s:  # somebody else has just asked
                return
            self._asked_s = monotonic_s()
            try:
                keys = _public_keys(await self._read())
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                logger.warning("jwks.unavailable", extra={"reason": type(error).__name__})
                return
        if keys != self._keys:
            self._keys = keys
            self.changes += 1

    def _age_s(self) -> float:
        return float("inf") if self._asked_s is None else monotonic_s() - self._asked_s

    async def _read(self) -> bytes:
        if not self._source.startswith(("http://", "https://")):
            return Path(self._source).read_bytes()[: _MAX_SET_BYTES + 1]  # noqa: ASYNC240 - small
        timeout = aiohttp.ClientTimeout(total=FETCH_TIMEOUT_S)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(self._source, allow_redirects=False) as answer,
        ):
            answer.raise_for_status()
            body = b""
            async for piece in answer.content.iter_any():
                body += piece
                if len(body) > _MAX_SET_BYTES:
                    raise ValueError("the set of keys is too large")
            return body


class SignedTokens:
    """Judges tokens of one issuer for one audience."""

    def __init__(self, *, issuer: str, audience: str, keys: KeySet) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = keys
        self._verified: dict[bytes, _Verified] = {}
        self._verified_with = 0

    async def find_subject(self, token: str) -> Subject | None:
        """Return whom a valid token names, None for every other text.

        A token that was found valid is not computed again until it ends or the keys change.
        """
        if len(token) > _MAX_TOKEN_CHARS:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        known = self._verified.get(digest)
        if self._keys.is_stale:
            await self._keys.refresh()
        if known and known.until_s > monotonic_s() and self._verified_with == self._keys.changes:
            return known.subject
        claims = await self._claims(token)
        if claims is None:
            return None
        subject = Subject(_name(claims["sub"]), frozenset(str(claims.get("scope", "")).split()))
        self._remember(digest, subject, lives_s=claims["exp"] - unix_s())
        return subject

    async def _claims(self, token: str) -> dict[str, Any] | None:
        try:
            head = jwt.get_unverified_header(token)
            key = await self._keys.find(str(head.get("kid", "")))
            if key is None or head.get("typ") not in _TYPES:
                return None
            claims: dict[str, Any] = jwt.decode(
                token,
                key.public,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY_S,
                options={"require": list(_REQUIRED)},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            return None
        return claims if _is_short_lived(claims) else None

    def _remember(self, digest: bytes, subject: Subject, *, lives_s: float) -> None:
        if self._verified_with != self._keys.changes or len(self._verified) >= _MAX_REMEMBERED:
            self._verified.clear()
            self._verified_with = self._keys.changes
        self._verified[digest] = _Verified(subject, monotonic_s() + lives_s)


def open_tokens(*, issuer: str, audience: str, jwks: str, prefix: str) -> SignedTokens:
    """Return the judge of tokens.

    Raises:
        StartupError: only some are given, or the file of keys cannot be used.
    """
    given = {"ISSUER": issuer, "AUDIENCE": audience, "JWKS": jwks}
    missing = [f"{prefix}_JWT_{name}" for name, value in given.items() if not value]
    if missing:
        raise StartupError(f"{', '.join(missing)} is not set: give all three or none")
    if not jwks.startswith(("http://", "https://")):
        try:
            _public_keys(Path(jwks).read_bytes())
        except (OSError, ValueError) as error:
            raise StartupError(f"{prefix}_JWT_JWKS: no usable keys in {jwks}") from error
    return SignedTokens(issuer=issuer, audience=audience, keys=KeySet(jwks))


def _public_keys(body: bytes) -> dict[str, _Key]:
    """Return the keys of a JWK set by their ids; what we do not use is passed over.

    Raises:
        ValueError: the text is no JWK set.
    """
    found = msgspec.json.decode(body, type=_JwkSet).keys
    keys = ((str(one.get("kid", "")), _usable(one)) for one in found)
    return {key_id: key for key_id, key in keys if key is not None}


class _JwkSet(msgspec.Struct):
    keys: list[dict[str, Any]]


def _usable(member: dict[str, Any]) -> _Key | None:
    """Return a key with the one algorithm that fits its kind: none may be talked into another."""
    if member.get("use", "sig") != "sig":
        return None
    try:
        public = jwt.PyJWK(member).key
    except jwt.PyJWTError:
        return None
    match public:
        case ed25519.Ed25519PublicKey():
            return _Key("EdDSA", public)
        case ec.EllipticCurvePublicKey() if isinstance(public.curve, ec.SECP256R1):
            return _Key("ES256", public)
        case rsa.RSAPublicKey() if public.key_size >= _MIN_RSA_BITS:
            return _Key("RS256", public)
        case _:
            return None


def _is_short_lived(claims: dict[str, Any]) -> bool:
    begin, end = claims["iat"], claims["exp"]
    are_numbers = all(isinstance(one, int | float) for one in (begin, end))
    return are_numbers and 0 < end - begin <= LIFETIME_MAX_S


def _name(subject: str) -> str:
    """Return what stands for a subject in logs and events: never an address or a name."""
    if not _OPEN_NAME.fullmatch(subject):
        subject = hashlib.sha256(subject.encode()).hexdigest()[:32]
    return f"jwt:{subject}"
