"""Remembers which write an idempotency key stands for."""

from datetime import datetime, timedelta
from uuid import UUID

import msgspec

from services.user.adapters.sql import SQL
from services.user.adapters.store import Origin, Store, connection_of


class Remembered(msgspec.Struct, frozen=True):
    """What a key stands for; ``request_hash`` is None once the person has been erased."""

    request_hash: bytes | None
    person_id: UUID
    version: int


async def recall_key(store: Store, origin: Origin) -> Remembered | None:
    """Return what the key of ``origin`` stands for, counting the replay."""
    async with connection_of(store) as connection:
        row = await connection.fetchrow(SQL.recall_key, origin.caller, origin.idempotency_key)
    if row is None:
        return None
    return Remembered(row["request_hash"], row["person_id"], row["version"])


async def record_key(store: Store, origin: Origin, person_id: UUID, *, version: int) -> bool:
    """Remember a write that changed nothing; False where the key is remembered already."""
    async with connection_of(store) as connection:
        row = await connection.fetchrow(
            SQL.record_key,
            origin.caller,
            origin.idempotency_key,
            origin.request_hash,
            person_id,
            version,
        )
    return row is not None


class KeptKey(msgspec.Struct, frozen=True):
    """An idempotency key that stands for a write to a person."""

    caller: str
    key: str
    version: int
    recorded_at: datetime


async def list_keys_of(store: Store, person_id: UUID, *, limit: int) -> list[KeptKey]:
    """Return up to ``limit`` keys that stand for writes to a person, latest first."""
    async with connection_of(store) as connection:
        rows = await connection.fetch(SQL.list_keys_of, person_id, limit)
    return [KeptKey(**row) for row in rows]


async def prune_keys(store: Store, *, older_than: timedelta, limit: int) -> int:
    """Forget up to ``limit`` keys older than that in real time; return how many."""
    async with connection_of(store) as connection:
        tag = await connection.execute(SQL.prune_keys, older_than.total_seconds(), limit)
    return int(tag.rpartition(" ")[2])
