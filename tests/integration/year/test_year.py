"""``explain`` equals what then happens, and a simulation's counts equal what then has happened."""

from collections import Counter
from datetime import datetime, timedelta
from random import Random
from uuid import UUID

import pytest

from contracts.kinds import KINDS
from libs.ids import parse_occurrence_key
from services.planner.adapters.recipients import list_recipients
from services.planner.app.questions import Explanation, explain
from services.planner.app.simulating import Question, Simulation, simulate
from services.planner.domain.explanation import days_between
from services.planner.domain.falling import due_instant
from services.planner.domain.recipient import Recipient
from services.planner.domain.simulation import Setting
from services.planner.domain.state import PENDING
from tests.integration.year.life import Life
from tests.integration.year.services import Occurrence, Services, open_services
from tests.support.depth import deeper
from tests.support.recipients import utc

START = utc("2027-09-01 00:00")
DAYS = 366
QUIET_DAYS = 40
WINDOW = timedelta(hours=12)
MOMENT = timedelta(microseconds=1)
PEOPLE = deeper(230, 1500)

PUT_OFF = ("waiting", "paused")
SETTLED_AS = {
    "user_removed": {("suppressed", "user_removed")},
    "opted_out": {("suppressed", "opted_out")},
    "already_greeted": {("suppressed", "already_greeted")},
    "in_flight": {("deferred", "in_flight"), ("expired", "too_late")},
    "too_late": {("expired", "too_late"), ("expired", "paused")},
    "paused": {PUT_OFF, ("expired", "paused")},
    "called_off": {("cancelled", "called_off")},
    "complaint": {("suppressed", "address_suppressed")},
    "unsubscribed": {("suppressed", "unsubscribed")},
}
"""What becomes of a planned row whose explanation refused, by the word."""


MET = {
    "owed", "user_removed", "opted_out", "known_too_late", "too_late", "already_greeted",
    "in_flight", "paused", "called_off", "complaint", "unsubscribed",
}  # fmt: skip
"""Answers that a year of that many people meets, whatever else."""


class Year:
    """Asks before each window, then lets it happen, and compares."""

    def __init__(self, services: Services, life: Life) -> None:
        self.services = services
        self.life = life
        self.people: dict[UUID, Recipient] = {}
        self.answers: Counter[str] = Counter()
        self.surprises: list[str] = []

    async def pass_window(self, *, asks: bool = True) -> None:
        """Ask about all that may happen until the window's end, and let it happen."""
        clock, begin = self.services.clock, self.services.clock.now()
        candidates = await self._candidates(begin)
        told = {one: await self._explained(one) for one in candidates} if asks else {}
        before = len(self.services.provider.attempted)
        # What is late already is judged by the clock that was asked; the rest at its instant.
        if not asks or any(one.planned is not None for one in told.values()):
            await self.services.release()
        clock.set(begin + WINDOW - MOMENT)
        await self.services.release()
        if asks:
            await self._compare(told, self.services.provider.attempted[before:])
        clock.set(begin + WINDOW)

    async def know(self) -> None:
        """Have everybody know the news, and read who there is now."""
        await self.services.tell()
        await self.services.follow_holds()
        async with self.services.planner.acquire() as connection:
            self.people = await list_recipients(connection, list(self.life.states))

    def hot(self) -> list[UUID]:
        """Return whose occasion is near."""
        today = self.services.clock.now().date()
        around = {"first": today - timedelta(days=1), "last": today + timedelta(days=1)}
        return [
            person.person_id
            for person in self.people.values()
            if any(days_between(person, kind, **around) for kind in KINDS.values())
        ]

    async def _candidates(self, begin: datetime) -> list[Occurrence]:
        """Return what falls due by the dates alone, what is pending, and what was never planned."""
        first, last = begin.date() - timedelta(days=5), begin.date() + timedelta(days=2)
        rows = await self.services.planner.fetch(
            "SELECT local_day, person_id, kind, state, due_at FROM plan"
            " WHERE local_day BETWEEN $1 AND $2",
            first,
            last,
        )
        states = {
            Occurrence(row["local_day"], row["person_id"], row["kind"]): row["state"]
            for row in rows
            if row["due_at"] < begin + WINDOW
        }
        pending = {one for one, state in states.items() if state in PENDING}
        falling = [
            (due_instant(day, kind.wall_time, person.zone), Occurrence(day, person_id, kind.name))
            for person_id, person in self.people.items()
            for kind in KINDS.values()
            for day in days_between(person, kind, first=last - timedelta(days=4), last=last)
        ]
        return sorted(
            pending
            | {one for at, one in falling if begin <= at < begin + WINDOW}
            | {one for at, one in falling if begin - WINDOW <= at < begin and one not in states}
        )

    async def _explained(self, one: Occurrence) -> Explanation:
        found = await explain(
            self.services.planner,
            one.person_id,
            KINDS[one.kind],
            day=one.local_day,
            now=self.services.clock.now(),
        )
        assert found is not None
        self.answers[found.decision.reason or "owed"] += 1
        return found

    async def _compare(self, told: dict[Occurrence, Explanation], attempted: list[str]) -> None:
        promised = {
            one.key
            for one, found in told.items()
            if found.decision.is_owed and not _was_greeted(found)
        }
        explained = {one.key: found for one, found in told.items()}
        for key in promised.symmetric_difference(attempted):
            word = "nothing was sent" if key in promised else "sent without being owed"
            await self._note(word, key, explained.get(key))
        for key, found in explained.items():
            reason = found.decision.reason
            settled_as = SETTLED_AS.get(reason or "")
            if found.planned is None or found.planned.state not in PENDING or settled_as is None:
                continue
            # What a pause has put off is judged when it is brought back, or too late.
            put_off = {PUT_OFF} if found.planned.reason == "paused" else set()
            if await self._became(key) not in settled_as | put_off:
                await self._note("ended otherwise", key, found)

    async def _became(self, key: str) -> tuple[str, str | None] | None:
        row = await self.services.planner.fetchrow(
            "SELECT state, reason FROM plan WHERE local_day = $1 AND person_id = $2 AND kind = $3",
            *parse_occurrence_key(key),
        )
        return None if row is None else (row["state"], row["reason"])

    async def _note(self, word: str, key: str, found: Explanation | None) -> None:
        said = "nothing" if found is None else found.decision.reason or "owed"
        became = await self._became(key)
        at = self.services.clock.now()
        self.surprises.append(f"{at}: {key}: {word}; told: {said}; became: {became}")


def _was_greeted(found: Explanation) -> bool:
    return found.planned is not None and found.planned.state == "accepted"


async def start_day(services: Services, window: int) -> None:
    """Do what is done once a week and once a day."""
    if window % 14 == 0:
        await services.keep_partitions()
    if window % 2 == 0:
        await services.plan()


async def live(year: Year, random: Random) -> None:
    """Have things happen at the beginning of a window, most of them to those whose day is near."""
    life, services = year.life, year.services
    happened = 0
    for person_id in random.sample(sorted(year.hot()), k=min(2, len(year.hot()))):
        if random.random() < 0.35:
            await life.go_on(person_id)
            happened += 1
    if random.random() < 0.12:
        await life.go_on(random.choice(sorted(life.states)))
        happened += 1
    if random.random() < 0.12:
        await life.register(near=services.clock.now().date())
        happened += 1
    attempted, doubtful = services.provider.attempted, services.provider.doubtful
    if attempted and random.random() < 0.08:
        _, greeted, _ = parse_occurrence_key(random.choice(doubtful or attempted[-20:]))
        await life.correct(greeted)
        happened += 1
    for chance, happen in (
        (0.03, life.pause),
        (0.015, life.call_off),
        (0.12, life.resume_all),
        (0.02, life.settle),
    ):
        if random.random() < chance:
            await happen()
            happened += 1
    if happened:
        await year.know()


@pytest.mark.timeout(deeper(600, 7200))
async def test_a_year_goes_as_it_was_explained_and_simulated(pg_url: str) -> None:
    """Twice a day everything that may happen is asked about beforehand, then let happen."""
    random = Random(2027)  # the same year every time
    async with open_services(pg_url, START - timedelta(days=30), random) as services:
        life = Life(services, random)
        await services.keep_partitions()
        for _ in range(PEOPLE):
            await life.register()
        year = Year(services, life)
        await year.know()
        services.clock.set(START)
        for window in range(2 * DAYS):
            await start_day(services, window)
            await live(year, random)
            # A planner that is away for three days: what was owed meanwhile is asked about after.
            if 200 <= window < 206:
                services.clock.set(services.clock.now() + WINDOW)
                continue
            await year.pass_window()
        assert year.surprises == []
        assert len(services.provider.accepted) == len(set(services.provider.accepted))
        assert set(year.answers) >= MET
        await quiet_time_as_simulated(year)


async def quiet_time_as_simulated(year: Year) -> None:
    """Simulate some weeks in which nobody does anything, and compare the counts with them."""
    services = year.services
    await year.life.resume_all()
    await year.life.settle()
    await year.know()
    services.provider.is_faultless = True
    first = services.clock.now().date() + timedelta(days=5)
    last = first + timedelta(days=QUIET_DAYS - 10)
    question = Question(
        first=first, last=last, per="minute", examples=20, as_is=Setting(kinds=KINDS)
    )
    simulated = await simulate(services.planner, question, now=services.clock.now())
    for window in range(2 * QUIET_DAYS):
        await start_day(services, window)
        await year.pass_window(asks=False)
    rows = await services.planner.fetch(
        "SELECT due_at, kind, person_id FROM plan"
        " WHERE local_day BETWEEN $1 AND $2 AND state = 'accepted'",
        first,
        last,
    )
    assert simulated.as_is.greetings > 10
    happened = Counter((row["due_at"], row["kind"]) for row in rows)
    assert {(slot.at, slot.kind): slot.greetings for slot in simulated.as_is.timeline} == happened
    _assert_silent(simulated, greeted={(row["person_id"], row["kind"]) for row in rows}, year=year)


def _assert_silent(simulated: Simulation, *, greeted: set[tuple[UUID, str]], year: Year) -> None:
    for count in simulated.as_is.kinds:
        people = {person_id for person_id, kind in greeted if kind == count.kind}
        assert count.people == len(people)
        assert count.people_without == len(year.people) - len(people)
    for silence in simulated.as_is.nothing:
        assert not {(UUID(one), silence.kind) for one in silence.examples} & greeted
