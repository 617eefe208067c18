"""The stored form of events and states: JSON, sealed in the log, open in the present state."""

from functools import lru_cache
from uuid import UUID

import msgspec

from contracts.user_events import USER_ERASED
from libs.eventstore.sealing import seal, unseal
from libs.postgres.types import Record
from services.user.adapters.store import Store
from services.user.domain.person import Change, Person, Tombstone

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Person)


class ShreddedError(Exception):
    """The key of this person was destroyed: their events cannot be read any more."""


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told openly beside an event: nothing personal."""

    changed: tuple[str, ...] = ()
    caller: str | None = None
    traceparent: str | None = None


def encode_state(person: Person) -> bytes:
    """Return the state as JSON."""
    return _encoder.encode(person)


def decode_state(text: str | bytes) -> Person:
    """Return the state that ``text`` holds."""
    return _decoder.decode(text)


def encode_metadata(change: Change, *, caller: str, traceparent: str | None) -> str:
    """Return what is told openly beside ``change``."""
    return _metadata(change.changed, caller, traceparent)


@lru_cache(maxsize=256)
def _metadata(changed: tuple[str, ...], caller: str, traceparent: str | None) -> str:
    """Return it as JSON; the lines of an import have few different ones."""
    return _encoder.encode(Metadata(changed, caller, traceparent)).decode()


def seal_state(person: Person, state: bytes, *, key: bytes) -> bytes:
    """Return ``state`` sealed for its place in the log."""
    return seal(key, state, aad=_place(person.id, person.version))


def open_event(store: Store, row: Record, *, person_id: UUID, version: int) -> Person | Tombstone:
    """Return the state after the event in ``row``.

    Raises:
        ShreddedError: the person has been erased since.
    """
    if row["type"] == USER_ERASED:
        return Tombstone(id=person_id, version=version, schedule_version=version)
    if row["wrapped_key"] is None:
        raise ShreddedError(str(person_id))
    key = store.keys.unwrap(row["wrapped_key"], owner=person_id.bytes)
    return decode_state(unseal(key, row["data"], aad=_place(person_id, version)))


def _place(person_id: UUID, version: int) -> bytes:
    return person_id.bytes + version.to_bytes(4, "big")
