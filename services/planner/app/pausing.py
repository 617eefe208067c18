"""Pauses what is to be sent, and resumes it."""

import logging
from datetime import datetime
from uuid import UUID

from libs import outbox
from libs.ids import new_id
from libs.postgres.types import Pool
from services.planner.adapters import announcements, holds
from services.planner.domain.holds import Pause

logger = logging.getLogger(__name__)


async def pause(
    pool: Pool,
    *,
    person_id: UUID | None,
    kind: str | None,
    reason: str | None,
    now: datetime,
    by: str,
) -> tuple[Pause, bool]:
    """Hold back a person, a kind or everything; return the pause, and whether it is new.

    Where exactly this scope is paused already, that pause is returned as it is. From the commit on
    nothing of it is released; the dispatcher is told through the outbox.
    """
    async with pool.acquire() as connection, connection.transaction():
        await holds.lock_holds(connection)
        known = await holds.find_open_pause(connection, person_id, kind)
        if known is not None:
            return known, False
        new = Pause(
            pause_id=new_id(),
            person_id=person_id,
            kind=kind,
            reason=reason,
            paused_at=now,
            paused_by=by,
        )
        await holds.insert_pause(connection, new)
        await outbox.put(connection, [announcements.paused(new)])
    logger.warning("plan.paused", extra={"pause": str(new.pause_id), "kind": kind, "by": by})
    return new, True


async def resume(pool: Pool, pause_id: UUID, *, now: datetime, by: str) -> Pause | None:
    """End a pause and return it, also where it had ended before; None if there is no such pause.

    The rows it had put off come back after the commit, in bounded slices.
    """
    async with pool.acquire() as connection, connection.transaction():
        await holds.lock_holds(connection)
        ended = await holds.end_pause(connection, pause_id, now=now, by=by)
        if ended is None:
            return await holds.find_pause(connection, pause_id)
        await holds.put_hold_work(connection, pause_id)
        await outbox.put(connection, [announcements.resumed(ended, resumed_at=now)])
    logger.warning("plan.resumed", extra={"pause": str(pause_id), "by": by})
    return ended


async def list_pauses(
    pool: Pool, *, only_open: bool, before: UUID | None, limit: int
) -> list[Pause]:
    """Return pauses, newest first."""
    async with pool.acquire() as connection:
        return await holds.list_pauses(connection, only_open=only_open, before=before, limit=limit)
