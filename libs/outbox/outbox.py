"""Puts messages into the outbox and tells how long the oldest has waited."""

from collections.abc import Sequence

import msgspec

from libs.outbox.sql import SQL
from libs.postgres.types import Connection


class OutboxMessage(msgspec.Struct, frozen=True):
    """One to 500 events of one type.

    ``body`` is their JSON joined by commas, without brackets, so that the relay can join rows into
    one message.
    """

    exchange: str
    routing_key: str
    items: int
    body: bytes


async def put(connection: Connection, messages: Sequence[OutboxMessage]) -> None:
    """Queue ``messages`` for publication in the caller's transaction."""
    if not messages:
        return
    await connection.execute(
        SQL.put,
        [message.exchange for message in messages],
        [message.routing_key for message in messages],
        [message.items for message in messages],
        [message.body for message in messages],
    )


async def oldest_unpublished_s(connection: Connection) -> float:
    """Return how many real seconds the oldest waiting message has waited; 0 when none waits."""
    age_s: float | None = await connection.fetchval(SQL.oldest_unpublished)
    return max(age_s or 0.0, 0.0)
