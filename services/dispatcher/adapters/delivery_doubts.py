"""Attempts whose outcome got lost, or is unknown."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.delivery import DeliveryEvent

LOOKED_BACK_DAYS = 14
"""Local days before today in which unknown outcomes are looked for; far beyond any lateness."""


class Unsettled(msgspec.Struct, frozen=True, kw_only=True):
    """An attempt whose outcome is unknown."""

    local_day: date
    person_id: UUID
    kind: str
    release: int
    period: date
    due_at: datetime
    provider: str
    can_be_asked: bool
    can_be_repeated: bool
    attempts: int


async def is_any_lapsed(connection: Connection) -> bool:
    """Tell whether ``record_lapsed`` would find any: most looks end with this one."""
    is_any: bool = await connection.fetchval(SQL.is_any_lapsed)
    return is_any


async def is_any_unknown(connection: Connection, *, now: datetime) -> bool:
    """Tell whether there is anything to judge for ``list_unsettled``.

    Most looks end with this one, which is planned and made for a tenth of the cost.
    """
    is_any: bool = await connection.fetchval(SQL.is_any_unknown, oldest_day(now), newest_day(now))
    return is_any


async def record_lapsed(
    connection: Connection, *, now: datetime, limit: int
) -> list[DeliveryEvent]:
    """Record as unknown what up to ``limit`` lapsed claims left open; return those events."""
    rows = await connection.fetch(SQL.record_lapsed, now, limit)
    return [DeliveryEvent(**row) for row in rows]


async def list_unsettled(
    connection: Connection,
    *,
    now: datetime,
    provider: str | None,
    kinds_sent_again: Iterable[str],
    grace_s: float,
    repeating: str | None,
    repeatable_s: float,
    limit: int,
) -> list[Unsettled]:
    """Return unknown outcomes that can be settled by asking ``provider`` or by a kind's promise.

    Or by repeating them: ``repeating`` is the provider that takes no second mail under one key, for
    ``repeatable_s`` after the lease.
    """
    rows = await connection.fetch(
        SQL.list_unsettled,
        oldest_day(now),
        provider,
        list(kinds_sent_again),
        grace_s,
        limit,
        repeating,
        repeatable_s,
    )
    return [Unsettled(**row) for row in rows]


def newest_day(now: datetime) -> date:
    """Return the last local day of which mail can have been sent: some zones are ahead of UTC."""
    return (now + timedelta(days=1)).date()


def oldest_day(now: datetime) -> date:
    """Return the first local day in which unknown outcomes are looked for."""
    return (now - timedelta(days=LOOKED_BACK_DAYS)).date()
