"""Outcomes and settlements: at most one of each for an attempt, by the primary key."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from operator import attrgetter
from typing import Any
from uuid import UUID

import asyncpg

from contracts.dispatch import DispatchRequested
from libs.postgres.types import Connection, Record
from services.dispatcher.adapters.delivery_cases import OpposedError, cases
from services.dispatcher.adapters.refusals import refusing_bad_values
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.delivery import AcceptedMail, DeliveryEvent

_case = attrgetter("local_day", "kind", "release", "period", "due_at")

AttemptKey = tuple[date, UUID, str, int]


async def record_accepted(
    connection: Connection,
    accepted: Sequence[AcceptedMail],
    *,
    now: datetime,
    claim_id: UUID,
    provider: str,
) -> None:
    """Record that ``provider`` accepted these mails, and end their claim; all or nothing.

    Raises:
        OpposedError: some have an outcome already, or cannot be stored; the transaction must end.
    """
    places, shared = cases([(*_case(one.request), one.template_version) for one in accepted])
    try:
        await connection.execute(
            SQL.record_accepted,
            now,
            claim_id,
            provider,
            [one.request.person_id for one in accepted],
            [one.message_id for one in accepted],
            places,
            *shared,
        )
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise OpposedError from error


async def record_outcomes(
    connection: Connection,
    outcomes: Sequence[DeliveryEvent],
    *,
    now: datetime,
    claim_id: UUID | None = None,
) -> set[AttemptKey]:
    """Record outcomes and return of which attempts; those that had one keep it.

    Periods that these outcomes free are let go of in the same statement. ``claim_id`` is the claim
    that ends here.

    Raises:
        RefusedValuesError: an outcome cannot be stored.
    """
    with refusing_bad_values():
        rows = await connection.fetch(SQL.record_outcomes, *_columns(outcomes), now, claim_id)
    return _keys(rows)


async def record_settlements(
    connection: Connection, settlements: Sequence[DeliveryEvent], *, now: datetime
) -> set[AttemptKey]:
    """Record settlements and return of which attempts: those whose outcome was unknown until now.

    ``settlements`` is not empty. Periods that they free are let go of in the same statement.
    """
    days = [settlement.local_day for settlement in settlements]
    rows = await connection.fetch(
        SQL.record_settlements, *_columns(settlements), now, min(days), max(days)
    )
    return _keys(rows)


async def list_latest_outcomes(
    connection: Connection, requests: Sequence[DispatchRequested]
) -> list[DeliveryEvent]:
    """Return what is known of the occurrences of ``requests``; nothing for those in flight."""
    rows = await connection.fetch(
        SQL.list_latest_outcomes,
        [request.local_day for request in requests],
        [request.person_id for request in requests],
        [request.kind for request in requests],
    )
    return [DeliveryEvent(**row) for row in rows]


def _columns(events: Sequence[DeliveryEvent]) -> tuple[list[Any], ...]:
    return (
        [event.local_day for event in events],
        [event.person_id for event in events],
        [event.kind for event in events],
        [event.release for event in events],
        [event.type for event in events],
        [event.reason for event in events],
        [event.period for event in events],
        [event.due_at for event in events],
        [event.retry_at for event in events],
        [event.provider for event in events],
        [event.message_id for event in events],
        [event.answer for event in events],
        [event.template_version for event in events],
    )


def _keys(rows: Iterable[Record]) -> set[AttemptKey]:
    return {(row["local_day"], row["person_id"], row["kind"], row["release"]) for row in rows}
