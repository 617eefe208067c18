"""Signs mails (DKIM, RFC 6376; Ed25519 by RFC 8463), relaxed/relaxed, over ``cryptography``.

Equal mails get equal signatures: both algorithms are deterministic, and the signature's time is the
mail's own.
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Literal, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

Key: TypeAlias = RSAPrivateKey | Ed25519PrivateKey
Headers: TypeAlias = Sequence[tuple[str, str]]

SMALLEST_RSA_BITS = 2048

_SIGNED_ONCE_MORE = ("from", "to", "subject", "date")
"""Named once more than they are there, so that nobody can add a second one (RFC 6376, 8.15)."""
_LINE = 72
_BLANKS = re.compile(r"[ \t]+")
_BODY_BLANKS = re.compile(rb"[ \t]+")


class DkimKeyError(ValueError):
    """The private key cannot be used; the text says why."""


class DkimSigner:
    """Signs as ``domain`` with the key whose public half is published under ``selector``."""

    def __init__(self, key: Key, *, domain: str, selector: str) -> None:
        self.domain = domain
        self.selector = selector
        self._key = key
        self._algorithm: Literal["rsa", "ed25519"] = (
            "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
        )

    def sign(self, headers: Headers, body: bytes, *, signed_at: datetime) -> str:
        """Return the value of ``DKIM-Signature`` for a mail of these headers, all of them signed.

        ``body`` ends its lines in CRLF; so do folded values.
        """
        names = [name.lower() for name, _ in headers]
        names += [name for name in _SIGNED_ONCE_MORE if name in names]
        body_hash = hashlib.sha256(_relaxed_body(body)).digest()
        unsigned = (
            f"v=1; a={self._algorithm}-sha256; c=relaxed/relaxed; d={self.domain};\r\n"
            f" s={self.selector}; t={int(signed_at.timestamp())};\r\n"
            f" h={_folded(':'.join(names), at=':')};\r\n"
            f" bh={_text(body_hash)};\r\n"
            " b="
        )
        signed = "\r\n".join(_relaxed(*one) for one in (*headers, ("DKIM-Signature", unsigned)))
        signature = _text(self._signature(signed.encode("ascii")))
        lines = [signature[start : start + _LINE] for start in range(0, len(signature), _LINE)]
        return unsigned + "\r\n ".join(lines)

    @property
    def name(self) -> str:
        """Where the public key is to be found in DNS."""
        return f"{self.selector}._domainkey.{self.domain}"

    @property
    def record(self) -> str:
        """The TXT record to publish at ``name``."""
        public = self._key.public_key()
        if isinstance(self._key, RSAPrivateKey):
            packed = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        else:
            packed = public.public_bytes(Encoding.Raw, PublicFormat.Raw)
        return f"v=DKIM1; k={self._algorithm}; p={_text(packed)}"

    def _signature(self, data: bytes) -> bytes:
        if isinstance(self._key, RSAPrivateKey):
            return self._key.sign(data, PKCS1v15(), SHA256())
        return self._key.sign(hashlib.sha256(data).digest())


def read_dkim_key(path: Path) -> Key:
    """Return the private key in a PEM file: RSA of at least 2048 bits, or Ed25519.

    Raises:
        DkimKeyError: it cannot be read, or is another key.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise DkimKeyError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DkimKeyError(f"{path} is no private key in PEM without a password") from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= SMALLEST_RSA_BITS:
        return key
    raise DkimKeyError(f"{path} must be RSA of at least {SMALLEST_RSA_BITS} bits, or Ed25519")


def _relaxed(name: str, value: str) -> str:
    """Return a header as RFC 6376, 3.4.2 wants it, without the line's end."""
    unfolded = _BLANKS.sub(" ", value.replace("\r\n", "")).strip(" ")
    return f"{name.lower()}:{unfolded}"


def _relaxed_body(body: bytes) -> bytes:
    """Return a body as RFC 6376, 3.4.4 wants it."""
    lines = [_BODY_BLANKS.sub(b" ", line).rstrip(b" ") for line in body.split(b"\r\n")]
    while lines and not lines[-1]:
        lines.pop()
    return b"".join(line + b"\r\n" for line in lines)


def _folded(text: str, *, at: str) -> str:
    """Return ``text`` in lines that end after ``at``."""
    lines = [""]
    for part in text.split(at):
        if len(lines[-1]) + len(part) >= _LINE:
            lines.append("")
        lines[-1] += part + at
    return "\r\n ".join(lines).removesuffix(at)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")
