"""Applies raw SQL migrations, forward only, each once, however many start at a time."""

import asyncio
import hashlib
from collections.abc import Sequence
from importlib import resources

import asyncpg
import msgspec

from libs.postgres.types import Connection
from libs.resilience import clear_refusals

_LOCK = 7_316_204_517
_LOCK_POLL_S = 0.2
_OWN_TRANSACTION = "-- no-transaction"


class Migration(msgspec.Struct, frozen=True):
    """One file of SQL; ``name`` is package and file name and never changes."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


class ChangedMigrationError(Exception):
    """A migration that was applied has been edited since; write a new one instead."""

    def __init__(self, name: str) -> None:
        super().__init__(f"migration {name} was changed after it was applied: add a new file")
        self.name = name


def migrations(*packages: str) -> list[Migration]:
    """Return the migrations of ``packages``, in the order of packages, then of file names."""
    return [
        Migration(f"{package}/{entry.name}", entry.read_text(encoding="utf-8"))
        for package in packages
        for entry in sorted(resources.files(package).iterdir(), key=lambda entry: entry.name)
        if entry.name.endswith(".sql")
    ]


async def migrate(url: str, *packages: str) -> list[str]:
    """Apply what is missing of ``packages`` and return the names of what was applied.

    Runners beside each other wait for one another. A file whose first line is
    ``-- no-transaction`` runs outside a transaction and must be repeatable.

    Raises:
        ChangedMigrationError: an applied file was edited.
        LoginRefusedError: the server knows no such user, password or database.
    """
    with clear_refusals("postgresql"):
        connection = await asyncpg.connect(url, timeout=10)
    try:
        await _lock(connection)
        await connection.execute("SET lock_timeout = '5s'")
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS migrations ("
            " name text PRIMARY KEY,"
            " checksum text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT clock_timestamp())"
        )
        missing = await pending(connection, *packages)
        for migration in missing:
            await _apply(connection, migration)
        return [migration.name for migration in missing]
    finally:
        await connection.close()


async def pending(connection: Connection, *packages: str) -> list[Migration]:
    """Return the migrations of ``packages`` that this database lacks.

    Raises:
        ChangedMigrationError: an applied file was edited.
    """
    known = await connection.fetchval("SELECT to_regclass('migrations') IS NOT NULL")
    rows = await connection.fetch("SELECT name, checksum FROM migrations") if known else []
    applied = {row["name"]: row["checksum"] for row in rows}
    wanted = migrations(*packages)
    _refuse_changed(wanted, applied)
    return [migration for migration in wanted if migration.name not in applied]


def _refuse_changed(wanted: Sequence[Migration], applied: dict[str, str]) -> None:
    for migration in wanted:
        if applied.get(migration.name, migration.checksum) != migration.checksum:
            raise ChangedMigrationError(migration.name)


async def _lock(connection: Connection) -> None:
    """Take the lock of migration runners for this session.

    Polling, because a runner that waits inside a statement holds a snapshot, and a CREATE INDEX
    CONCURRENTLY of the runner before it would wait for that snapshot: a deadlock.
    """
    while True:
        if await connection.fetchval("SELECT pg_try_advisory_lock($1)", _LOCK):
            return
        await asyncio.sleep(_LOCK_POLL_S)


async def _apply(connection: Connection, migration: Migration) -> None:
    if migration.sql.startswith(_OWN_TRANSACTION):
        await connection.execute(migration.sql)
        await _note(connection, migration)
        return
    async with connection.transaction():
        await connection.execute(migration.sql)
        await _note(connection, migration)


async def _note(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO migrations (name, checksum) VALUES ($1, $2)",
        migration.name,
        migration.checksum,
    )
