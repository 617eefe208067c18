"""Addresses that get no mail."""

from datetime import datetime

import msgspec

from libs.postgres.types import Connection
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
    row = await connection.fetchrow(SQL.put_suppression, address, reason, now)
    if row is None:
        raise LookupError("an upsert that always writes returned nothing")
    return Suppression(**row)


async def delete_suppression(connection: Connection, address: str) -> bool:
    """Let mail go to ``address`` again; tell whether it was suppressed."""
    return await connection.fetchval(SQL.delete_suppression, address) is not None


async def list_suppressions(connection: Connection, *, after: str, limit: int) -> list[Suppression]:
    """Return up to ``limit`` suppressed addresses that follow ``after``."""
    rows = await connection.fetch(SQL.list_suppressions, after, limit)
    return [Suppression(**row) for row in rows]
