"""Partitions of the outbox: made ahead, dropped when they have served.

A published row is of no more use, and holds what its event told of a person. Partitions go as a
whole, so one that fills slowly would keep its rows for months. Turning the page lets the next row
begin a new partition: what is skipped is a gap, which the relay closes like any other.
"""

from datetime import timedelta

from libs.outbox.sql import SQL
from libs.postgres import partitions
from libs.postgres.types import Connection

ROWS_PER_PARTITION = 1_000_000
PARTITIONS_AHEAD = 3


async def turn_page(connection: Connection, *, older_than: timedelta) -> bool:
    """Let the next row begin a new partition if the one in use has an older row; tell whether.

    Nothing happens while a relay is publishing: the next round will do.
    """
    async with connection.transaction():
        if await connection.fetchval(SQL.take_cursor) is None:
            return False
        begins_at = await connection.fetchval(
            SQL.turn_page, ROWS_PER_PARTITION, older_than.total_seconds()
        )
    return begins_at is not None


async def create_ahead(connection: Connection, drawn: int) -> None:
    """Make the partitions that the positions after ``drawn`` may need soon."""
    current = drawn // ROWS_PER_PARTITION
    for index in range(current, current + PARTITIONS_AHEAD):
        await partitions.ensure_range_partition(
            connection,
            "outbox",
            f"outbox_{index:06d}",
            lower=str(index * ROWS_PER_PARTITION),
            upper=str((index + 1) * ROWS_PER_PARTITION),
        )


async def drop_published(connection: Connection, unpublished: int, *, kept: timedelta) -> None:
    """Drop the partitions before the one of position ``unpublished`` whose rows are older."""
    first_needed = f"outbox_{unpublished // ROWS_PER_PARTITION:06d}"
    for name in await partitions.partition_names(connection, "outbox"):
        if name >= first_needed or not await _has_served(connection, name, kept):
            return
        await partitions.drop_partition(connection, "outbox", name)


async def _has_served(connection: Connection, partition: str, kept: timedelta) -> bool:
    if not kept:
        return True
    first = int(partition.rpartition("_")[2]) * ROWS_PER_PARTITION
    age_s: float | None = await connection.fetchval(
        SQL.find_newest_in, first, first + ROWS_PER_PARTITION
    )
    return age_s is None or age_s > kept.total_seconds()
