"""Personal data in an append-only log, sealed with a key per person that can be destroyed.

AES-256-GCM (NIST SP 800-38D) with a random 96-bit nonce before the ciphertext. The additional data
bind a sealed text to its place: it cannot be moved to another event.
"""

import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32
_NONCE_BYTES = 12


class SealError(Exception):
    """The text was sealed with another key or for another place, or was tampered with."""


def new_key() -> bytes:
    """Return a new random key of 256 bits."""
    return os.urandom(KEY_BYTES)


def seal(key: bytes, plaintext: bytes, *, aad: bytes) -> bytes:
    """Return ``plaintext`` encrypted and bound to ``aad``."""
    return _seal(AESGCM(key), plaintext, aad=aad)


def unseal(key: bytes, sealed: bytes, *, aad: bytes) -> bytes:
    """Return what was sealed with ``key`` for ``aad``.

    Raises:
        SealError: wrong key, wrong place, or tampered with.
    """
    return _unseal(AESGCM(key), sealed, aad=aad)


class KeyRing:
    """Wraps the keys of persons with the master key, so that a copied table opens nothing.

    Without a master key the keys are kept as they are: for development only.
    """

    def __init__(self, master: bytes | None) -> None:
        self._master = None if master is None else AESGCM(master)

    def wrap(self, key: bytes, *, owner: bytes) -> bytes:
        """Return ``key`` in the form in which it is stored for ``owner``."""
        return key if self._master is None else _seal(self._master, key, aad=owner)

    def unwrap(self, stored: bytes, *, owner: bytes) -> bytes:
        """Return the key that ``stored`` holds for ``owner``.

        Raises:
            SealError: it was wrapped with another master key or for another owner.
        """
        if self._master is None:
            return stored
        return _unseal(self._master, stored, aad=owner)


def _seal(cipher: AESGCM, plaintext: bytes, *, aad: bytes) -> bytes:
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + cipher.encrypt(nonce, plaintext, aad)


def _unseal(cipher: AESGCM, sealed: bytes, *, aad: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad)
    except InvalidTag as error:
        raise SealError("the sealed text does not open with this key at this place") from error
