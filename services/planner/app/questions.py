"""Answers questions about the plan; changes nothing."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from libs.postgres.types import Pool
from services.planner.adapters import accounts, days
from services.planner.adapters.accounts import InstantProgress, Occurrence
from services.planner.adapters.days import Progress
from services.planner.adapters.recipients import list_recipients
from services.planner.domain.account import Entry
from services.planner.domain.decision import Decision, next_decision
from services.planner.domain.explanation import decide_in
from services.planner.domain.recipient import Recipient

HISTORY_DAYS = 400
MAX_OCCURRENCES = 500


class DayAccount(msgspec.Struct, frozen=True):
    """How far a day has come, and its ledger."""

    progress: Progress | None
    entries: list[Entry]


class Occasions(msgspec.Struct, frozen=True):
    """A person, what the plan holds, and what comes next and is not planned yet."""

    recipient: Recipient
    planned: list[Occurrence]
    upcoming: list[Decision]


class Explanation(msgspec.Struct, frozen=True):
    """A person, the decision about one day, and the plan's row for it, if there is one."""

    recipient: Recipient
    decision: Decision
    planned: Occurrence | None


async def read_day(pool: Pool, local_day: date) -> DayAccount:
    """Return the account of one day."""
    async with pool.acquire() as connection:
        progress = await days.find_day(connection, local_day)
        entries = await accounts.read_ledger(connection, local_day, local_day)
    return DayAccount(progress, entries)


async def read_days(pool: Pool, *, first: date, last: date) -> list[Entry]:
    """Return the ledger of the days from ``first`` to ``last``."""
    async with pool.acquire() as connection:
        return await accounts.read_ledger(connection, first, last)


async def read_progress(pool: Pool, local_day: date) -> list[InstantProgress]:
    """Return how far each instant of a day has come."""
    async with pool.acquire() as connection:
        return await accounts.read_progress(connection, local_day)


async def read_occasions(
    pool: Pool, person_id: UUID, kinds: Iterable[Kind], *, now: datetime
) -> Occasions | None:
    """Return a person's occurrences: up to 400 days back, planned, and the next of each kind.

    None: nobody bears ``person_id``, or it has not reached the planner yet.
    """
    async with pool.acquire() as connection:
        recipient = (await list_recipients(connection, [person_id])).get(person_id)
        if recipient is None:
            return None
        planned = await accounts.list_occurrences(
            connection,
            person_id,
            first=now.date() - timedelta(days=HISTORY_DAYS),
            last=now.date() + timedelta(days=HISTORY_DAYS),
            limit=MAX_OCCURRENCES,
        )
    there = {(one.local_day, one.kind) for one in planned}
    upcoming = (next_decision(recipient, kind, now=now) for kind in kinds)
    return Occasions(
        recipient,
        planned,
        [one for one in upcoming if one and (one.local_day, one.kind) not in there],
    )


async def explain(pool: Pool, person_id: UUID, kind: Kind, *, year: int) -> Explanation | None:
    """Return why the person is greeted for ``kind`` in ``year``, or is not.

    Asks the rule that plans. None: nobody bears ``person_id``, or it has not reached the planner.
    """
    async with pool.acquire() as connection:
        recipient = (await list_recipients(connection, [person_id])).get(person_id)
        if recipient is None:
            return None
        decision = decide_in(recipient, kind, year)
        rows = await accounts.list_occurrences(
            connection,
            person_id,
            first=decision.local_day,
            last=decision.local_day,
            limit=MAX_OCCURRENCES,
        )
    planned = next((row for row in rows if row.kind == kind.name), None)
    return Explanation(recipient, decision, planned)
