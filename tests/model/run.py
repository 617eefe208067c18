"""Plays one history: people change, time passes, the system works and dies at it."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from random import Random

import msgspec

from contracts import topology
from libs.broker import PublishError
from libs.ids import occurrence_key
from libs.postgres.types import Connection
from tests.model.mortal import ProcessDied
from tests.model.operators import WORDS, Operators
from tests.model.oracle import KIND_NAMES
from tests.model.outside import ANSWERS
from tests.model.people import CHANGES, DAYS_WATCHED, People
from tests.model.system import QUEUES, Servers, System
from tests.model.watch import Violation, Watch, require

STARTS = (
    datetime(2026, 6, 13, 12, tzinfo=UTC),
    datetime(2026, 3, 27, 20, tzinfo=UTC),
    datetime(2027, 2, 26, 12, tzinfo=UTC),
    datetime(2028, 2, 27, 12, tzinfo=UTC),
    datetime(2026, 12, 29, 12, tzinfo=UTC),
)
STRIDES = (1, 5, 20, 60, 120, 150, 500, 840, 24 * 60, 47 * 60)
"""In minutes: what passes at a time."""

TICK = timedelta(milliseconds=1)
LONGEST_SLEEP = timedelta(days=2)
"""Less than what is planned ahead."""

ROUNDS = 40
STEPS_AT_MOST = 100
CAN_FIND = 0.7


class Action(msgspec.Struct, frozen=True):
    """One thing that happens. What the numbers choose from depends on how things stand."""

    name: str
    a: int = 0
    b: int = 0
    c: int = 0


class World(msgspec.Struct, frozen=True):
    """When a history begins, and whether its provider can be asked what became of a mail."""

    start: datetime = STARTS[0]
    can_find: bool = True


def world_of(seed: int) -> World:
    """Return the world that ``seed`` names."""
    random = Random(seed)
    return World(random.choice(STARTS), can_find=random.random() < CAN_FIND)


class Run:
    """One history being played. Each name of an action is a method here or of ``People``."""

    def __init__(self, servers: Servers, world: World, number: int) -> None:
        self.start = world.start
        self.servers = servers
        self.system = System(servers, self.start, can_find=world.can_find, seed=number)
        self.people = People(self.system, self.start, number)
        self.operators = Operators(servers, self.system, self.people)
        self.watch = Watch(servers, self.system, self.people, self.operators)
        self._deaths = 0
        self._planned_on: date | None = None

    @property
    def now(self) -> datetime:
        """What the calendar shows."""
        return self.system.clock.now()

    async def play(self, actions: Sequence[Action]) -> None:
        """Let ``actions`` happen, then everything come to its end.

        Raises:
            Violation: the system did something forbidden, or failed to do something owed.
        """
        await self.servers.prepare(self.start)
        await self.system.plan()
        for action in actions:
            if action.name in CHANGES:
                # No two changes of a person happen in one moment.
                self._set_clock(self.now + TICK)
            await getattr(self._who_does(action.name), action.name)(action.a, action.b, action.c)
        await self._end()

    def _who_does(self, name: str) -> object:
        if name in CHANGES:
            return self.people
        return self.operators if name in WORDS else self

    # Time passes.

    async def wait(self, stride: int, _: int, __: int) -> None:
        """Let some time pass."""
        self._set_clock(self.now + timedelta(minutes=STRIDES[stride % len(STRIDES)]))

    async def wait_for_nine(self, which: int, offset: int, _: int) -> None:
        """Go to one of the next instants at which it is nine, or a second before or after it."""
        ahead = sorted(at for at in self.people.instants() if at > self.now)
        if ahead:
            at = ahead[which % min(len(ahead), 2)]
            self._set_clock(max(at + timedelta(seconds=offset % 3 - 1), self.now))

    def _set_clock(self, at: datetime) -> None:
        self.system.clock.set(min(at, self.start + timedelta(days=DAYS_WATCHED)))

    # The system works, and dies at it: in one of three cases, at one of its first statements.

    async def relay_user(self, _: int, __: int, fate: int) -> None:
        """Publish what the user service has to tell."""
        await self._mortal(self.system.relay_user(), fate)

    async def relay_dispatcher(self, _: int, __: int, fate: int) -> None:
        """Publish what the dispatcher has to tell."""
        await self._mortal(self.system.relay_dispatcher(), fate)

    async def deliver(self, queue: int, place: int, fate: int) -> None:
        """Deliver any message of a queue, or the next that has one; every fifth comes again."""
        queues = self.system.broker.queues
        first = queue % len(QUEUES)
        waiting = [name for name in QUEUES[first:] + QUEUES[:first] if queues[name]]
        if waiting:
            name = waiting[0]
            chosen = place // 5 % len(queues[name])
            is_kept = place % 5 == 0
            await self._mortal(self.system.deliver(name, chosen, is_kept=is_kept), fate)

    async def lose(self, place: int, _: int, __: int) -> None:
        """Lose a request: whoever waits for its answer asks again."""
        requests = self.system.broker.queues[topology.DISPATCHER_REQUESTS.name]
        if requests:
            requests.pop(place % len(requests))

    async def relay_planner(self, _: int, __: int, fate: int) -> None:
        """Publish what the planner has to tell."""
        await self._mortal(self.system.relay_planner(), fate)

    async def follow(self, _: int, __: int, fate: int) -> None:
        """Have rows follow what operators decided."""
        await self._mortal(self.system.follow(), fate)

    async def rebuild_planner(self, damage: int, where: int, fate: int) -> None:
        """Rebuild what the planner knows of people: damage to it, or dying on the way."""
        if damage % 2:
            chosen = PLANNER_DAMAGE[damage // 2 % len(PLANNER_DAMAGE)]
            await self.system.rebuild_planner()
            await self._damage(self.servers.planner_eye, chosen, where)
            if damage % 3 == 0:
                await self._lose_plan()
            await self.system.rebuild_planner()
            self._planned_on = None
        else:
            await self._mortal(self.system.rebuild_planner(), 3 * fate, within=48)

    async def rebuild_dispatcher(self, damage: int, where: int, fate: int) -> None:
        """Rebuild what the dispatcher knows of people: damage to it, or dying on the way."""
        if damage % 2:
            chosen = DISPATCHER_DAMAGE[damage // 2 % len(DISPATCHER_DAMAGE)]
            await self.system.rebuild_dispatcher()
            await self._damage(self.servers.dispatcher_eye, chosen, where)
            await self.system.rebuild_dispatcher()
        else:
            await self._mortal(self.system.rebuild_dispatcher(), 3 * fate, within=48)

    async def _damage(self, eye: Connection, damage: str, where: int) -> None:
        if self.people.lives:
            person_id = list(self.people.lives)[where % len(self.people.lives)]
            await eye.execute(damage, person_id)

    async def _lose_plan(self) -> None:
        """Lose every row of what is owed on open days."""
        owed = [
            (day, life.person_id, kind)
            for life in self.people.lives.values()
            for day in self.people.days()
            for kind in KIND_NAMES
            if life.history.owes(life.history.last.number, kind, day)
        ]
        await self.servers.planner_eye.executemany(_LOSE_ROW, owed)

    async def plan(self, steps: int, _: int, fate: int) -> None:
        """Do some pieces of planning."""
        for _step in range(steps % 6 + 1):
            await self._mortal(self.system.plan(), fate)

    async def release(self, _: int, __: int, fate: int) -> None:
        """Release what is due."""
        await self._mortal(self.system.release(), fate)

    async def ask_again(self, _: int, __: int, fate: int) -> None:
        """Ask again for what nobody answered."""
        self.watch.is_asking_again = True
        await self._mortal(self.system.ask_again(), fate)
        self.watch.is_asking_again = False

    async def settle(self, _: int, __: int, fate: int) -> None:
        """Find lost outcomes and settle unknown ones."""
        await self._mortal(self.system.settle(), fate)

    async def close_days(self, _: int, __: int, fate: int) -> None:
        """Close the days that are done."""
        await self._mortal(self.system.close_days(), fate)

    async def misanswer(self, first: int, second: int, silence: int) -> None:
        """Have the provider answer the next mails otherwise, or not say what became of mails."""
        answers = (ANSWERS[chosen % len(ANSWERS)] for chosen in (first, second))
        self.system.provider.answers.extend(answers)
        self.system.provider.is_silent = silence % 3 == 0

    async def lose_confirms(self, kept: int, refused: int, _: int) -> None:
        """Have the broker keep messages without confirming, or refuse them."""
        self.system.broker.confirms_lost = kept % 3
        self.system.broker.refusals = refused % 3

    async def catch_up(self, withheld: int, _: int, __: int) -> None:
        """Do all there is to do now, while the messages of one queue are withheld, or of none."""
        self.system.broker.confirms_lost = self.system.broker.refusals = 0
        queues = [None, *QUEUES]
        await self._rest(is_final=False, withheld=queues[withheld % len(queues)])

    async def _mortal(self, work: Awaitable[object], fate: int, *, within: int = 16) -> None:
        """Do ``work``; in one of three cases it dies, at one of its first statements."""
        if fate % 3 == 0:
            self.servers.fate.die_at(fate // 6 % within, is_after=bool(fate // 3 % 2))
        try:
            await self._survived(work)
        finally:
            self.servers.fate.spare()

    async def _survived(self, work: Awaitable[object]) -> None:
        """Await ``work``; a process that dies, or a confirm that does not come, is no surprise."""
        try:
            await work
        except ProcessDied:
            self._deaths += 1
        except ExceptionGroup as errors:
            _, others = errors.split(PublishError)
            if others is not None:
                raise others from errors

    # Everything comes to its end.

    async def _end(self) -> None:
        """Let everything happen that still can, in good order, and hold the result to account."""
        system = self.system
        system.provider.answers.clear()
        system.provider.is_silent = False
        system.broker.confirms_lost = system.broker.refusals = 0
        ended_at = self.now
        await self.operators.resume_all()
        await self._rest(is_final=True)
        last = self.start + timedelta(days=DAYS_WATCHED + 1)
        for _ in range(STEPS_AT_MOST):
            if self.now >= last:
                break
            # What is due already and left lying is found at the end.
            pending = await self.servers.planner_eye.fetchval(
                "SELECT min(release_at) FROM plan"
                " WHERE state IN ('waiting', 'deferred') AND release_at > $1",
                self.now,
            )
            later = min(self.now + LONGEST_SLEEP, last)
            system.clock.set(min(pending or later, later))
            await self._rest(is_final=True)
        else:
            raise Violation("something comes back again and again")
        await self.watch.account(ended_at=ended_at, last=last)

    async def _rest(self, *, is_final: bool, withheld: str | None = None) -> None:
        """Work until nothing is left to do at this moment; finally also what an operator does.

        Raises:
            Violation: there is always something left.
        """
        for _ in range(ROUNDS):
            work = await self._work(withheld)
            if not work and is_final:
                work = await self._operate()
            if not work:
                return
        require(not is_final, "the system never comes to rest")

    async def _work(self, withheld: str | None) -> int:
        """Do one round of everything; return how much there was to do."""
        system = self.system
        work = 0
        if self._planned_on != self.now.date():
            work += await _finished(system.plan)
            self._planned_on = self.now.date()
        work += await _finished(system.follow)
        work += await _finished(system.release)
        if self._deaths or system.provider.unknown:
            work += await system.settle()
        work += await system.relay()
        for name in (one for one in QUEUES if one != withheld):
            while system.broker.queues[name]:
                await self._survived(system.deliver(name, 0))
                work += 1
        return work

    async def _operate(self) -> int:
        """Have an operator settle what is unknown; ask again where nobody answers."""
        unknown = await self.servers.dispatcher_eye.fetch(_UNKNOWN)
        for row in unknown:
            occurrence = occurrence_key(row["local_day"], row["person_id"], row["kind"])
            is_accepted = self.system.provider.has(occurrence)
            await self.system.settle_by_hand(occurrence, is_accepted=is_accepted)
        if unknown:
            return len(unknown)
        released: int = await self.servers.planner_eye.fetchval(
            "SELECT count(*) FROM plan WHERE state = 'released'"
        )
        if released:
            await self.ask_again(0, 0, 1)
        return released


async def _finished(step: Callable[[], Awaitable[bool]]) -> int:
    """Do ``step`` while there is more; return how often there was.

    Raises:
        Violation: there is always more.
    """
    for times in range(STEPS_AT_MOST):
        if not await step():
            return times
    raise Violation(f"there is always more to {step.__name__}")


PLANNER_DAMAGE = (
    "DELETE FROM recipients WHERE person_id = $1",
    "DELETE FROM celebrations WHERE person_id = $1",
    "UPDATE recipients SET zone = 'Asia/Tokyo', dates = '{}' WHERE person_id = $1",
    "UPDATE recipients SET version = 1, schedule_version = 1 WHERE person_id = $1",
    "UPDATE recipients SET is_active = NOT is_active WHERE person_id = $1",
    "UPDATE recipients SET version = 900, schedule_version = 900 WHERE person_id = $1",
    "UPDATE celebrations SET zone = 'Asia/Tokyo' WHERE person_id = $1",
)
DISPATCHER_DAMAGE = (
    "DELETE FROM contacts WHERE person_id = $1",
    "UPDATE contacts SET first_name = 'Eve' WHERE person_id = $1 AND state = 'active'",
    "UPDATE contacts SET version = 1, schedule_version = 1 WHERE person_id = $1",
    "UPDATE contacts SET version = 900, schedule_version = 900 WHERE person_id = $1",
    "UPDATE contacts SET opt_outs = '{}' WHERE person_id = $1",
)
_LOSE_ROW = """
    DELETE FROM plan USING days
    WHERE plan.local_day = $1 AND plan.person_id = $2 AND plan.kind = $3
      AND days.local_day = plan.local_day AND days.closed_at IS NULL
"""
_UNKNOWN = """
    SELECT unknown.local_day, unknown.person_id, unknown.kind
    FROM delivery_events AS unknown
    WHERE unknown.step = 1 AND unknown.type = 'unknown' AND NOT EXISTS (
        SELECT FROM delivery_events AS settled
        WHERE settled.step = 2 AND settled.release = unknown.release AND settled.kind = unknown.kind
          AND settled.person_id = unknown.person_id AND settled.local_day = unknown.local_day
    )
"""
