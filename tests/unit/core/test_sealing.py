"""Sealed personal data."""

import pytest

from libs.eventstore.sealing import KeyRing, SealError, new_key, seal, unseal


def test_what_is_sealed_opens_with_its_key_at_its_place_only() -> None:
    key = new_key()
    sealed = seal(key, b"Ada", aad=b"stream/1")
    assert unseal(key, sealed, aad=b"stream/1") == b"Ada"
    assert b"Ada" not in sealed
    for wrong_key, place in ((new_key(), b"stream/1"), (key, b"stream/2")):
        with pytest.raises(SealError):
            unseal(wrong_key, sealed, aad=place)


def test_a_wrapped_key_opens_with_the_master_key_for_its_owner_only() -> None:
    ring, key = KeyRing(new_key()), new_key()
    stored = ring.wrap(key, owner=b"ada")
    assert ring.unwrap(stored, owner=b"ada") == key
    with pytest.raises(SealError):
        ring.unwrap(stored, owner=b"eve")
    with pytest.raises(SealError):
        KeyRing(new_key()).unwrap(stored, owner=b"ada")
