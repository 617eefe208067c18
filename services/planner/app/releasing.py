"""Releases what is due, and asks again where nobody answers."""

import logging
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta

import msgspec

from contracts.kinds import Kind
from libs.broker import Publisher
from libs.postgres.types import Connection, Pool
from libs.telemetry.tracing import current_traceparent
from services.planner.adapters import days, releases
from services.planner.adapters.holds import lock_holds_shared
from services.planner.adapters.plan import change_plan, read_by_index
from services.planner.adapters.recipients import list_recipients
from services.planner.adapters.releases import NextRelease, Taken, Window
from services.planner.adapters.requests import publish_requests
from services.planner.adapters.zone_data import hold_zone_data, is_being_replanned
from services.planner.app.judging import rescheduled
from services.planner.domain.horizon import last_due_day

logger = logging.getLogger(__name__)


class Outlook(msgspec.Struct, frozen=True):
    """What there is to release.

    ``upcoming`` tells when the next row of each day is due, earliest first; ``unanswered`` how many
    rows are released and not answered, counted up to a limit; ``window`` of which days anything can
    be due at all.
    """

    window: Window
    unanswered: int
    upcoming: list[NextRelease]


async def find_window(pool: Pool, *, now: datetime) -> Window | None:
    """Return the days of which anything can be due; None while no day is open."""
    async with pool.acquire() as connection:
        first = await days.find_window_start(connection)
    return None if first is None else Window(first, last_due_day(now))


async def look_out(pool: Pool, *, now: datetime, upto: int) -> Outlook | None:
    """Return what there is to release; None while no day is open.

    Releases that are not answered yet are counted up to ``upto``.
    """
    window = await find_window(pool, now=now)
    if window is None:
        return None
    async with pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        unanswered = await releases.count_released(connection, window, upto=upto)
        upcoming = await releases.list_next_releases(connection, window)
    return Outlook(window, unanswered, upcoming)


async def release_due(
    pool: Pool,
    publisher: Publisher,
    local_day: date,
    *,
    kinds: Mapping[str, Kind],
    now: datetime,
    limit: int,
    ask_after: timedelta,
) -> list[Taken]:
    """Release up to ``limit`` rows of ``local_day`` due at ``now``; return what was decided.

    Published inside the transaction that holds the rows, so the plan is its own outbox: without
    the commit the same release goes out again, and the dispatcher recognises the copy. Nothing is
    released while a new release of the zone data still moves rows.

    Raises:
        ExceptionGroup: of ``PublishError``; nothing was released.
        OtherZoneDataError: the plan is made by another release of the zone data.
    """
    async with pool.acquire() as connection, connection.transaction():
        if is_being_replanned(await hold_zone_data(connection)):
            return []
        await lock_holds_shared(connection)
        await read_by_index(connection)
        taken = await releases.take_due(
            connection, local_day, now=now, limit=limit, ask_after=ask_after
        )
        await _reschedule_stale(connection, taken, kinds, now=now)
        requests = [row.request() for row in taken if row.verdict == "released"]
        await publish_requests(publisher, requests, now=now, traceparent=current_traceparent())
    return taken


async def ask_again(
    pool: Pool,
    publisher: Publisher,
    window: Window,
    *,
    now: datetime,
    limit: int,
    ask_after: timedelta,
) -> int:
    """Publish again up to ``limit`` releases nobody answered, under the same numbers.

    Heals a request or an answer that was lost; the dispatcher answers a copy with what it knows.
    The broker is told inside the transaction, as in ``release_due``.
    """
    async with pool.acquire() as connection, connection.transaction():
        await read_by_index(connection)
        silent = await releases.take_silent(connection, window, ask_after=ask_after, limit=limit)
        await publish_requests(publisher, silent, now=now, traceparent=current_traceparent())
    if silent:
        logger.info("release.asked_again", extra={"items": len(silent)})
    return len(silent)


async def _reschedule_stale(
    connection: Connection, taken: Sequence[Taken], kinds: Mapping[str, Kind], *, now: datetime
) -> None:
    """Renew rows made from an older schedule than their person has: a slice read it just before."""
    stale = [row for row in taken if row.verdict == "stale"]
    if not stale:
        return
    people = await list_recipients(connection, releases.people_of(stale))
    changes = (
        rescheduled(row.planned(), people[row.person_id], kinds.get(row.kind)) for row in stale
    )
    await change_plan(connection, [change for change in changes if change], now=now)
