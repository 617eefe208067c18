"""Appends changes: event, state, outbox row and idempotency key in one statement."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

import asyncpg
import msgspec

from contracts.envelope import MAX_BATCH_ITEMS
from contracts.topology import EVENTS
from libs.postgres.types import Record
from services.user.adapters.columns import search_columns
from services.user.adapters.events import encode_metadata, encode_state, seal_state
from services.user.adapters.metrics import EVENTS_APPENDED
from services.user.adapters.publication import message_of
from services.user.adapters.sql import SQL
from services.user.adapters.store import Origin, Store, connection_of
from services.user.domain.person import Change, Person

_KEY_CONSTRAINT = "idempotency_keys_pkey"


class Verdict(msgspec.Struct, frozen=True):
    """What became of one offered change.

    Lost without a reason means that somebody else was faster: look again, decide again.
    """

    has_won: bool
    is_email_taken: bool = False
    is_external_id_taken: bool = False

    @property
    def is_contended(self) -> bool:
        """Tell whether another try may win."""
        return not (self.has_won or self.is_email_taken or self.is_external_id_taken)


class KeyInFlightError(Exception):
    """The first request under this idempotency key has not been answered yet."""


class KeyTakenError(Exception):
    """The idempotency key was recorded by a request that was faster; recall what it did."""


async def append_changes(
    store: Store, changes: Sequence[tuple[Change, bytes]], *, origin: Origin, now: datetime
) -> list[Verdict]:
    """Append each change to its person's stream; with each comes the person's data key.

    Raises:
        KeyInFlightError, KeyTakenError: see there; nothing was written.
        UnavailableError: the database is away; whether it was written is unknown.
    """
    rows = [_change(change, key, origin, now) for change, key in changes]
    columns: list[list[object]] = [list(column) for column in zip(*rows, strict=True)]
    async with connection_of(store) as connection:
        try:
            answer = await connection.fetch(
                SQL.append_changes,
                *columns,
                now,
                EVENTS,
                MAX_BATCH_ITEMS,
                origin.caller,
                origin.idempotency_key,
                origin.request_hash,
            )
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
            return [contended(error)] * len(changes)
    return _verdicts(answer, [change for change, _ in changes])


async def append_erasure(store: Store, change: Change, *, origin: Origin, now: datetime) -> Verdict:
    """Erase a person: the data key is destroyed with the event that tells it.

    Raises:
        KeyInFlightError, KeyTakenError: see there; nothing was written.
        UnavailableError: the database is away; whether it was written is unknown.
    """
    async with connection_of(store) as connection:
        try:
            answer = await connection.fetch(
                SQL.append_erasure,
                change.after.id,
                change.after.version,
                change.type,
                encode_metadata(change, caller=origin.caller, traceparent=origin.traceparent),
                message_of(change, recorded_at=now, traceparent=origin.traceparent),
                now,
                EVENTS,
                origin.caller,
                origin.idempotency_key,
                origin.request_hash,
            )
        except (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError) as error:
            return contended(error)
    if not answer:
        raise KeyInFlightError
    verdict = Verdict(answer[0]["has_won"])
    EVENTS_APPENDED.add(int(verdict.has_won), type=change.type)
    return verdict


def person_of(change: Change) -> Person:
    """Return the state after a change that leaves a person."""
    if not isinstance(change.after, Person):
        raise TypeError("an erasure leaves no person: use append_erasure")
    return change.after


def contended(error: asyncpg.UniqueViolationError | asyncpg.DeadlockDetectedError) -> Verdict:
    """Return the verdict on what lost to somebody faster.

    Raises:
        KeyTakenError: what was faster is a request under the same idempotency key.
    """
    if getattr(error, "constraint_name", None) == _KEY_CONSTRAINT:
        raise KeyTakenError from error
    return Verdict(has_won=False)


def _change(change: Change, key: bytes, origin: Origin, now: datetime) -> tuple[object, ...]:
    person = person_of(change)
    state, searched = encode_state(person), search_columns(person.profile)
    return (
        person.id,
        person.version,
        person.schedule_version,
        person.status,
        state.decode(),
        *msgspec.structs.astuple(searched),
        change.type,
        seal_state(person, state, key=key),
        encode_metadata(change, caller=origin.caller, traceparent=origin.traceparent),
        message_of(change, recorded_at=now, traceparent=origin.traceparent),
    )


def _verdicts(answer: Sequence[Record], changes: Sequence[Change]) -> list[Verdict]:
    if len(answer) != len(changes):
        raise KeyInFlightError
    winners = (change.type for change, row in zip(changes, answer, strict=True) if row["has_won"])
    for type_name, events in Counter(winners).items():
        EVENTS_APPENDED.add(events, type=type_name)
    return [
        Verdict(row["has_won"], row["is_email_taken"], row["is_external_id_taken"])
        for row in answer
    ]
