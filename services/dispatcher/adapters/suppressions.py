"""Addresses that get no mail: the one door for whoever suppresses one.

Whatever changes here is told as blocks of the people at that address, in the same transaction.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from libs.postgres.types import Connection
from services.dispatcher.adapters.blocks import tell_blocks
from services.dispatcher.adapters.sql import SQL


class Suppression(msgspec.Struct, frozen=True):
    """One address, in its normal form, with the reason and the instant it was first suppressed."""

    address: str
    reason: str
    since: datetime


async def put_suppression(
    connection: Connection, address: str, *, reason: str, now: datetime
) -> Suppression:
    """Suppress ``address``; a known one keeps its instant and takes the new reason."""
    [suppression] = await put_suppressions(connection, {address: reason}, now=now)
    return suppression


async def put_suppressions(
    connection: Connection, reasons: Mapping[str, str], *, now: datetime
) -> list[Suppression]:
    """Suppress each address for its reason; known ones keep their instant."""
    # A part of the caller's transaction where there is one: lock, change and news are one.
    async with connection.transaction():
        await connection.execute(SQL.lock_suppressions)
        rows = await connection.fetch(
            SQL.put_suppressions, list(reasons), list(reasons.values()), now
        )
        await _tell(connection, list(reasons), now)
    return [Suppression(**row) for row in rows]


async def delete_suppression(connection: Connection, address: str, *, now: datetime) -> bool:
    """Let mail go to ``address`` again; tell whether it was suppressed."""
    async with connection.transaction():
        await connection.execute(SQL.lock_suppressions)
        was_there = await connection.fetchval(SQL.delete_suppression, address) is not None
        if was_there:
            await _tell(connection, [address], now)
    return was_there


async def share_suppressions(connection: Connection) -> None:
    """Keep suppressions as they are until the caller's transaction ends."""
    await connection.execute(SQL.share_suppressions)


async def list_suppressions(connection: Connection, *, after: str, limit: int) -> list[Suppression]:
    """Return up to ``limit`` suppressed addresses that follow ``after``."""
    rows = await connection.fetch(SQL.list_suppressions, after, limit)
    return [Suppression(**row) for row in rows]


async def _tell(connection: Connection, addresses: Sequence[str], now: datetime) -> None:
    people = [row["person_id"] for row in await connection.fetch(SQL.lock_contacts_at, addresses)]
    if people:
        await tell_blocks(connection, people, now=now)
