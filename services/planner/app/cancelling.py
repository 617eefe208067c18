"""Calls occurrences off, for good."""

import logging
from datetime import date, datetime
from uuid import UUID

from libs import outbox
from libs.ids import new_id
from libs.postgres.types import Pool
from services.planner.adapters import announcements, holds
from services.planner.domain.holds import Cancellation

logger = logging.getLogger(__name__)


async def cancel(
    pool: Pool,
    *,
    person_id: UUID | None,
    kind: str | None,
    first_day: date,
    last_day: date,
    reason: str | None,
    now: datetime,
    by: str,
) -> tuple[Cancellation, bool]:
    """Call off what falls on these days, both included; return the cancellation, and if it is new.

    The same scope is called off once. From the commit on nothing of it is released or planned to be
    sent; rows that wait end after it, in bounded slices; those in the broker end by the
    dispatcher's answer, which is told through the outbox.
    """
    async with pool.acquire() as connection, connection.transaction():
        await holds.lock_holds(connection)
        known = await holds.find_cancellation(
            connection, person_id, kind, first_day=first_day, last_day=last_day
        )
        if known is not None:
            return known, False
        new = Cancellation(
            cancellation_id=new_id(),
            person_id=person_id,
            kind=kind,
            first_day=first_day,
            last_day=last_day,
            reason=reason,
            cancelled_at=now,
            cancelled_by=by,
        )
        await holds.insert_cancellation(connection, new)
        await holds.put_hold_work(connection, new.cancellation_id, first=first_day, last=last_day)
        await outbox.put(connection, [announcements.cancelled(new)])
    facts = {"cancellation": str(new.cancellation_id), "kind": kind, "by": by}
    logger.warning("plan.cancelled", extra=facts)
    return new, True


async def list_cancellations(pool: Pool, *, before: UUID | None, limit: int) -> list[Cancellation]:
    """Return cancellations, newest first."""
    async with pool.acquire() as connection:
        return await holds.list_cancellations(connection, before=before, limit=limit)
