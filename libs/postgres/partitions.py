"""Creates range partitions ahead and drops them when they have served.

A partition is made bare and then attached: attaching waits for no reader and no writer, creating in
place would. Names come from our own code only and are checked, since identifiers cannot be
parameters.
"""

import re
from datetime import date, timedelta

import asyncpg

from libs.postgres.types import Connection

_IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_LITERAL = re.compile(r"[0-9-]+")


async def ensure_day_partitions(
    connection: Connection, table: str, *, first: date, days: int
) -> int:
    """Create the partitions of ``days`` days from ``first`` that ``table`` lacks; return how many.

    Safe beside copies of itself.
    """
    there = set(await day_partitions(connection, table))
    wanted = (first + timedelta(days=offset) for offset in range(days))
    missing = [day for day in wanted if day not in there]
    for day in missing:
        await ensure_range_partition(
            connection,
            table,
            f"{table}_{day:%Y%m%d}",
            lower=day.isoformat(),
            upper=(day + timedelta(days=1)).isoformat(),
        )
    return len(missing)


async def ensure_range_partition(
    connection: Connection, table: str, partition: str, *, lower: str, upper: str
) -> None:
    """Make ``partition`` hold the rows of ``table`` from ``lower`` up to but not ``upper``."""
    _check_identifier(table, partition)
    _check_literal(lower, upper)
    async with connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"part:{table}")
        if await connection.fetchval("SELECT to_regclass($1) IS NOT NULL", partition):
            return
        await connection.execute(
            f"CREATE TABLE {partition}"
            f" (LIKE {table} INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING STORAGE"
            " INCLUDING COMPRESSION)"
        )
        await connection.execute(
            f"ALTER TABLE {table} ATTACH PARTITION {partition}"
            f" FOR VALUES FROM ('{lower}') TO ('{upper}')"
        )


async def partition_names(connection: Connection, table: str) -> list[str]:
    """Return the names of the partitions attached to ``table``, in order."""
    rows = await connection.fetch(
        "SELECT child.relname AS name FROM pg_inherits"
        " JOIN pg_class AS child ON child.oid = inhrelid"
        " WHERE inhparent = to_regclass($1) ORDER BY 1",
        table,
    )
    return [row["name"] for row in rows]


async def day_partitions(connection: Connection, table: str) -> list[date]:
    """Return the days for which ``table`` has a partition, in order."""
    prefix = f"{table}_"
    days = (name.removeprefix(prefix) for name in await partition_names(connection, table))
    return [date.fromisoformat(day) for day in days if len(day) == len("20260614")]


async def analyze_day_partition(connection: Connection, table: str, day: date) -> None:
    """Have the server look at what the partition of ``day`` holds now, if it holds anything."""
    partition = f"{table}_{day:%Y%m%d}"
    _check_identifier(partition)
    if await connection.fetchval("SELECT pg_relation_size(to_regclass($1)) > 0", partition):
        await connection.execute(f"ANALYZE {partition}")


async def drop_day_partitions(connection: Connection, table: str, *, before: date) -> list[date]:
    """Detach and drop the partitions of days before ``before``; return those days.

    Must not run inside a transaction: detaching concurrently blocks neither readers nor writers.
    """
    old = [day for day in await day_partitions(connection, table) if day < before]
    for day in old:
        await drop_partition(connection, table, f"{table}_{day:%Y%m%d}")
    return old


async def drop_partition(connection: Connection, table: str, partition: str) -> None:
    """Detach ``partition`` from ``table`` concurrently and drop it; safe beside copies of itself.

    What an interrupted run left half detached is finalised by the next.
    """
    _check_identifier(table, partition)
    try:
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {partition} CONCURRENTLY")
    except asyncpg.ObjectNotInPrerequisiteStateError:
        await connection.execute(f"ALTER TABLE {table} DETACH PARTITION {partition} FINALIZE")
    except asyncpg.UndefinedTableError:
        return
    await connection.execute(f"DROP TABLE IF EXISTS {partition}")


def _check_identifier(*names: str) -> None:
    for name in names:
        if not _IDENTIFIER.fullmatch(name):
            raise ValueError(f"not a table name: {name!r}")


def _check_literal(*literals: str) -> None:
    for literal in literals:
        if not _LITERAL.fullmatch(literal):
            raise ValueError(f"not a bound of days or numbers: {literal!r}")
