"""Answers questions about the plan; changes nothing."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from libs.postgres.types import Pool
from services.planner.adapters import accounts, days
from services.planner.adapters.accounts import InstantProgress, Occurrence
from services.planner.adapters.blocks import find_blocks
from services.planner.adapters.days import Progress
from services.planner.adapters.holds import list_person_cancellations, list_person_pauses
from services.planner.adapters.recipients import list_recipients
from services.planner.domain.account import Entry
from services.planner.domain.decision import Decision, decide, next_decision
from services.planner.domain.explanation import Choice, choose_day
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES
from services.planner.domain.suggestion import Suggestion, suggest

HISTORY_DAYS = 400
MAX_OCCURRENCES = 500


class DayAccount(msgspec.Struct, frozen=True):
    """How far a day has come, and its ledger."""

    progress: Progress | None
    entries: list[Entry]


class Judged(msgspec.Struct, frozen=True):
    """A row of the plan, and what the rule says about it now; None where its kind is gone."""

    row: Occurrence
    decision: Decision | None


class Occasions(msgspec.Struct, frozen=True):
    """A person, what the plan holds, and what comes next and is not planned yet."""

    recipient: Recipient
    planned: list[Judged]
    upcoming: list[Decision]


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """A person and the decision about the day that was chosen.

    ``suggestion`` is what would make a "no" a "yes", ``planned`` what the plan holds for the day,
    ``upcoming`` the decision on the first occurrence from now on.
    """

    recipient: Recipient
    choice: Choice
    decision: Decision
    suggestion: Suggestion | None
    planned: PlannedDay | None
    upcoming: Decision | None


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


async def list_expired(
    pool: Pool, local_day: date, *, after: tuple[UUID, str], limit: int
) -> list[Occurrence]:
    """Return what of a day was too late to be sent, by person and kind after ``after``."""
    async with pool.acquire() as connection:
        return await accounts.list_expired(connection, local_day, after=after, limit=limit)


async def read_occasions(
    pool: Pool, person_id: UUID, kinds: Mapping[str, Kind], *, now: datetime
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
        blocks = await find_blocks(connection, person_id)
        pauses = await list_person_pauses(connection, person_id)
        cancellations = await list_person_cancellations(
            connection, person_id, since=now.date() - timedelta(days=HISTORY_DAYS)
        )
    rows: dict[str, list[PlannedDay]] = defaultdict(list)
    for one in planned:
        rows[one.kind].append(one.day())
    facts = {
        name: Facts(
            now=now,
            rows=tuple(rows[name]),
            blocks=blocks,
            pauses=tuple(pauses),
            cancellations=tuple(cancellations),
        )
        for name in (*kinds, *rows)
    }
    there = {(one.local_day, one.kind) for one in planned}
    upcoming = (
        next_decision(recipient, kind, now=now, facts=facts[name]) for name, kind in kinds.items()
    )
    return Occasions(
        recipient,
        [Judged(one, _judge(recipient, one, kinds, facts)) for one in planned],
        [one for one in upcoming if one and (one.local_day, one.kind) not in there],
    )


async def explain(
    pool: Pool,
    person_id: UUID,
    kind: Kind,
    *,
    day: date | None = None,
    year: int | None = None,
    now: datetime,
) -> Explanation | None:
    """Return why the person is greeted for ``kind`` on ``day`` or in ``year``, or is not.

    Asks the rule that plans. None: nobody bears ``person_id``, or it has not reached the planner.
    """
    async with pool.acquire() as connection, connection.transaction(readonly=True):
        recipient = (await list_recipients(connection, [person_id])).get(person_id)
        if recipient is None:
            return None
        choice = choose_day(recipient, kind, day=day, year=year, now=now)
        upcoming = next_decision(recipient, kind, now=now)
        asked = [one for one in (choice.local_day, upcoming and upcoming.local_day) if one]
        facts = Facts(
            now=now,
            rows=await accounts.list_kind_rows(
                connection, person_id, kind.name, periods=_periods(kind, asked), days=asked
            ),
            blocks=await find_blocks(connection, person_id),
            pauses=tuple(await list_person_pauses(connection, person_id)),
            cancellations=tuple(
                await list_person_cancellations(
                    connection, person_id, since=min(asked, default=now.date())
                )
            ),
        )
    return Explanation(
        recipient=recipient,
        choice=choice,
        decision=decide(recipient, kind, choice.local_day, facts=facts),
        suggestion=suggest(recipient, kind, choice, facts=facts, now=now),
        upcoming=next_decision(recipient, kind, now=now, facts=facts),
        planned=facts.row_on(choice.local_day),
    )


def _judge(
    recipient: Recipient,
    row: Occurrence,
    kinds: Mapping[str, Kind],
    facts: Mapping[str, Facts],
) -> Decision | None:
    kind = kinds.get(row.kind)
    if kind is None:
        return None
    return decide(recipient, kind, row.local_day, facts=facts[row.kind])


def _periods(kind: Kind, local_days: Iterable[date]) -> list[date]:
    return sorted({RECURRENCES[kind.cadence].period_of(day) for day in local_days})
