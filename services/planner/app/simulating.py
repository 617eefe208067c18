"""Simulates what a range of days will bring, as things are and as they might be; cannot write."""

import asyncio
from datetime import date, datetime

import msgspec

from libs.postgres.types import Pool
from services.planner.adapters.groups import count_people, read_groups
from services.planner.domain.decision import Decision
from services.planner.domain.simulation import (
    Comparison,
    Difference,
    Group,
    Outlook,
    Per,
    Setting,
    Tally,
    decisions_on,
)

TIMEOUT_S = 120.0
"""A simulation that takes longer is given up; its caller may ask for less."""


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What to simulate: the local days, both included, as they are and, if given, in ``what_if``.

    ``examples`` is how many ids are told for each reason.
    """

    first: date
    last: date
    per: Per
    examples: int
    as_is: Setting
    what_if: Setting | None = None

    def settings(self) -> list[Setting]:
        """Return the settings to simulate."""
        return [self.as_is] if self.what_if is None else [self.as_is, self.what_if]


class Side(msgspec.Struct, frozen=True):
    """A setting and what it comes to."""

    setting: Setting
    tally: Tally


class Simulation(msgspec.Struct, frozen=True, kw_only=True):
    """The answer; ``people`` is how many there are."""

    people: int
    as_is: Outlook
    what_if: Outlook | None = None
    difference: Difference | None = None


async def simulate(pool: Pool, question: Question, *, now: datetime) -> Simulation:
    """Return what the range will bring, by what is known ``now``.

    Everything is read in one snapshot that the server lets nobody write to. People are grouped by
    what decides, and each group is asked about once, by the rule that plans.

    Raises:
        TimeoutError: it took longer than ``TIMEOUT_S``.
    """
    sides = [Side(setting, Tally(examples=question.examples)) for setting in question.settings()]
    comparison = Comparison()
    async with (
        asyncio.timeout(TIMEOUT_S),
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        people = await count_people(connection)
        for name in sorted({name for side in sides for name in side.setting.kinds}):
            kinds = [side.setting.kinds[name] for side in sides if name in side.setting.kinds]
            async for group in read_groups(connection, kinds, first=question.first, now=now):
                decided = [_decide(group, name, side, question) for side in sides]
                if question.what_if is not None:
                    comparison.add(group, decided[0], decided[-1])
    # Of a year it takes a while: in a thread of its own it holds up nobody.
    outlooks = [await asyncio.to_thread(_outlook, side, question.per) for side in sides]
    if question.what_if is None:
        return Simulation(people=people, as_is=outlooks[0])
    return Simulation(
        people=people,
        as_is=outlooks[0],
        what_if=outlooks[-1],
        difference=comparison.difference(),
    )


def _decide(group: Group, name: str, side: Side, question: Question) -> list[Decision]:
    kind = side.setting.kinds.get(name)
    if kind is None:
        return []
    decisions = decisions_on(group, kind, side.setting, first=question.first, last=question.last)
    side.tally.add(group, name, decisions)
    return decisions


def _outlook(side: Side, per: Per) -> Outlook:
    return side.tally.outlook(
        per=per, mails_per_s=side.setting.mails_per_s, outage=side.setting.outage
    )
