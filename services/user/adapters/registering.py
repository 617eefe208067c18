"""Registers people: event, state, data key, outbox row and idempotency key in one statement."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import asyncpg
import msgspec

from contracts.envelope import MAX_BATCH_ITEMS
from contracts.topology import EVENTS
from contracts.user_events import USER_REGISTERED
from libs.eventstore.sealing import new_key
from libs.postgres.types import Record
from libs.runtime.gathering import CrowdedError, Gathering
from services.user.adapters.appending import (
    KeyInFlightError,
    KeyTakenError,
    Verdict,
    contended,
    person_of,
)
from services.user.adapters.columns import search_columns
from services.user.adapters.events import encode_metadata, encode_state, seal_state
from services.user.adapters.metrics import EVENTS_APPENDED
from services.user.adapters.publication import message_of
from services.user.adapters.sql import SQL
from services.user.adapters.store import Origin, Store, UnavailableError, connection_of
from services.user.domain.person import Change

COMMIT_MAX: Final = 100
"""Registrations that share a commit."""
WAITING_MAX: Final = 400
"""Registrations that wait for theirs; more of them would wait too long."""


class _Offer(msgspec.Struct, frozen=True):
    """One registration as its row, and who asks for it."""

    columns: tuple[object, ...]
    origin: Origin

    @property
    def key(self) -> tuple[str, str] | None:
        """The idempotency key with whose it is."""
        key = self.origin.idempotency_key
        return None if key is None else (self.origin.caller, key)


async def append_registrations(
    store: Store,
    changes: Sequence[Change],
    *,
    origin: Origin,
    now: datetime,
    turn: asyncio.Lock | None = None,
) -> list[Verdict]:
    """Register people by the thousand and return the verdict on each, in their order.

    One statement, so one transaction: a crash leaves all of it or nothing. Who shares a ``turn``
    is registered one call after the other, while the next is being sealed. ``origin`` has no
    idempotency key.

    Raises:
        UnavailableError: the database is away; whether it was written is unknown.
    """
    offers = [_offer(store, change, origin, now) for change in changes]
    async with turn or asyncio.Lock():
        try:
            answers = await _append_many(store, offers)
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
            return [contended(error)] * len(changes)
    return [answer for answer in answers if isinstance(answer, Verdict)]


class Registrations:
    """Single registrations of one process: those that come during a commit share the next one."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self._keys_under_way: set[tuple[str, str]] = set()
        self._gathering: Gathering[_Offer, Verdict] = Gathering(
            self._append,
            batch_max=COMMIT_MAX,
            waiting_max=WAITING_MAX,
            severable=(asyncpg.PostgresError,),
        )

    async def append(self, change: Change, *, origin: Origin, now: datetime) -> Verdict:
        """Register one person and return the verdict.

        The statement is one for all that share the commit, so a crash leaves all of them or
        nothing; each wins or loses by itself.

        Raises:
            KeyInFlightError, KeyTakenError: see there; nothing was written.
            UnavailableError: the database is away, and whether it was written is unknown; or too
                many wait, and nothing was written.
        """
        offer = _offer(self.store, change, origin, now)
        if offer.key is None:
            return await self._ask(offer)
        if offer.key in self._keys_under_way:
            raise KeyInFlightError
        self._keys_under_way.add(offer.key)
        try:
            return await self._ask(offer)
        finally:
            self._keys_under_way.discard(offer.key)

    async def _ask(self, offer: _Offer) -> Verdict:
        try:
            return await self._gathering.ask(offer)
        except CrowdedError as error:
            raise UnavailableError("crowded") from error

    async def _append(self, offers: Sequence[_Offer]) -> Sequence[Verdict | Exception]:
        if len(offers) > 1:
            return await _append_many(self.store, offers)
        return [await _append_one(self.store, offers[0])]


def _offer(store: Store, change: Change, origin: Origin, now: datetime) -> _Offer:
    person = person_of(change)
    state, searched, key = encode_state(person), search_columns(person.profile), new_key()
    columns = (
        person.id,
        state.decode(),
        *msgspec.structs.astuple(searched),
        store.keys.wrap(key, owner=person.id.bytes),
        seal_state(person, state, key=key),
        encode_metadata(change, caller=origin.caller, traceparent=origin.traceparent),
        message_of(change, recorded_at=now, traceparent=origin.traceparent),
        now,
    )
    return _Offer(columns, origin)


async def _append_one(store: Store, offer: _Offer) -> Verdict:
    origin = offer.origin
    async with connection_of(store) as connection:
        try:
            row = await connection.fetchrow(
                SQL.append_registration,
                *offer.columns,
                USER_REGISTERED,
                EVENTS,
                origin.caller,
                origin.idempotency_key,
                origin.request_hash,
            )
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
            return contended(error)
    if row is None:
        raise KeyInFlightError
    EVENTS_APPENDED.add(int(row["has_won"]), type=USER_REGISTERED)
    return _verdict(row)


async def _append_many(store: Store, offers: Sequence[_Offer]) -> list[Verdict | Exception]:
    columns = zip(*(offer.columns for offer in offers), strict=True)
    origins = enumerate((offer.origin for offer in offers), 1)
    keyed = [(place, origin) for place, origin in origins if origin.idempotency_key is not None]
    async with connection_of(store) as connection:
        rows = await connection.fetch(
            SQL.append_registrations,
            *map(list, columns),
            USER_REGISTERED,
            EVENTS,
            MAX_BATCH_ITEMS,
            [place for place, _ in keyed],
            [origin.caller for _, origin in keyed],
            [origin.idempotency_key for _, origin in keyed],
            [origin.request_hash for _, origin in keyed],
        )
    EVENTS_APPENDED.add(len([True for row in rows if row["has_won"]]), type=USER_REGISTERED)
    answers = {row["place"]: _answer(row) for row in rows}
    return [answers.get(place) or KeyInFlightError() for place in range(1, len(offers) + 1)]


def _answer(row: Record) -> Verdict | Exception:
    return KeyTakenError() if row["has_won"] is None else _verdict(row)


def _verdict(row: Record) -> Verdict:
    return Verdict(row["has_won"], row["is_email_taken"], row["is_external_id_taken"])
