"""What every statement of this service needs, and how the driver's failures are told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import asyncpg
import msgspec

from libs.eventstore.sealing import KeyRing
from libs.postgres.types import Connection, Pool

ACQUIRE_TIMEOUT_S = 2.0

_UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.LockNotAvailableError,
    asyncpg.ReadOnlySQLTransactionError,
    # What a replica's replay ends is told as one of these.
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
)


class Store(msgspec.Struct, frozen=True):
    """The service's database and the keys that open its events."""

    pool: Pool
    keys: KeyRing


class UnavailableError(Exception):
    """The database cannot be reached now; whether a write under way was kept is unknown."""


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """Who asks for a write, and in which trace.

    ``idempotency_key`` names the request for its ``caller``; ``request_hash`` tells another
    request under the same name from a repetition.
    """

    caller: str
    traceparent: str | None = None
    idempotency_key: str | None = None
    request_hash: bytes | None = None


@contextlib.asynccontextmanager
async def connection_of(store: Store) -> AsyncIterator[Connection]:
    """Yield a connection, waiting at most ``ACQUIRE_TIMEOUT_S`` for a free one.

    Raises:
        UnavailableError: none came free, or the server went away meanwhile.
    """
    try:
        async with store.pool.acquire(timeout=ACQUIRE_TIMEOUT_S) as connection:
            yield connection
    except _UNREACHABLE as error:
        raise UnavailableError(type(error).__name__) from error
