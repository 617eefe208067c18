"""Makes histories from seeds, plays them, and cuts a failing one down to what matters."""

import traceback
from collections import Counter
from collections.abc import Sequence
from random import Random

from libs.clock import monotonic_s
from tests.model.people import SLOTS
from tests.model.run import Action, Run, World, world_of
from tests.model.system import Servers
from tests.model.watch import Violation

WEIGHTS = {
    "register": 5,
    "move": 5,
    "redate": 4,
    "leap": 1,
    "opt": 3,
    "readdress": 2,
    "delete": 2,
    "restore": 5,
    "erase": 1,
    "suppress": 2,
    "allow": 3,
    "pause": 2,
    "resume": 3,
    "cancel": 1,
    "unsubscribe": 2,
    "resubscribe": 2,
    "wait": 1,
    "wait_for_nine": 24,
    "relay_user": 4,
    "relay_planner": 2,
    "relay_dispatcher": 4,
    "deliver": 14,
    "lose": 1,
    "plan": 2,
    "follow": 1,
    "release": 8,
    "ask_again": 3,
    "settle": 3,
    "close_days": 2,
    "misanswer": 4,
    "lose_confirms": 2,
    "catch_up": 16,
    "rebuild_planner": 1,
    "rebuild_dispatcher": 1,
}
SHORTEST, LONGEST = 15, 80
_BIG = 1 << 16


class Found(AssertionError):  # noqa: N818
    """A history that breaks the promise, as short as it could be made."""

    def __init__(self, seed: int, actions: Sequence[Action], violation: Violation) -> None:
        lines = "\n".join(f"    {action}," for action in actions)
        super().__init__(f"seed {seed}: {violation}\n[\n{lines}\n]")
        self.actions = actions


class Tally:
    """How much was played."""

    def __init__(self) -> None:
        self.runs = 0
        self.steps = 0
        self.mails = 0
        self.ends: Counter[str] = Counter()


def actions_of(seed: int) -> list[Action]:
    """Return the history that ``seed`` names."""
    random = Random(seed)
    names, weights = list(WEIGHTS), list(WEIGHTS.values())
    chosen = random.choices(names, weights, k=random.randint(SHORTEST, LONGEST))
    beginning = [Action("register", slot, *_numbers(random)) for slot in range(SLOTS)]
    return beginning + [Action(name, random.randrange(_BIG), *_numbers(random)) for name in chosen]


class Search:
    """Plays histories one after the other on the same servers."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self.tally = Tally()

    async def look(self, *, first_seed: int, within_s: float) -> None:
        """Play histories from ``first_seed`` on until ``within_s`` real seconds have passed.

        Raises:
            Found: one broke the promise.
        """
        until_s = monotonic_s() + within_s
        seed = first_seed
        while monotonic_s() < until_s:
            world, actions = world_of(seed), actions_of(seed)
            violation = await self.violation_of(world, actions)
            if violation is not None:
                raise Found(seed, *await self._shortest(world, actions, violation)) from violation
            seed += 1

    async def violation_of(self, world: World, actions: Sequence[Action]) -> Violation | None:
        """Play ``actions``; return what went wrong, None if all went well."""
        self.tally.runs += 1
        self.tally.steps += len(actions)
        run = Run(self._servers, world, unique())
        try:
            await run.play(actions)
        except Violation as violation:
            return violation
        except Exception as error:  # noqa: BLE001
            return Violation(f"{type(error).__name__}: {error}\n{traceback.format_exc()}")
        finally:
            self.tally.mails += len(run.system.provider.taken)
            self.tally.ends += run.watch.ends
        return None

    async def _shortest(
        self, world: World, actions: Sequence[Action], violation: Violation
    ) -> tuple[list[Action], Violation]:
        """Leave out whatever can be left out while something still goes wrong."""
        kept, size = list(actions), max(len(actions) // 2, 1)
        while True:
            place, is_shorter = 0, False
            while place < len(kept):
                shorter = kept[:place] + kept[place + size :]
                found = await self.violation_of(world, shorter)
                if found is None:
                    place += size
                else:
                    kept, violation, is_shorter = shorter, found, True
            if size == 1 and not is_shorter:
                return kept, violation
            size = max(size // 2, 1)


def _numbers(random: Random) -> tuple[int, int]:
    return random.randrange(_BIG), random.randrange(_BIG)


_last = 0


def unique() -> int:
    """Return another number for every history, for ids and addresses of its own."""
    global _last  # noqa: PLW0603
    _last += 1
    return _last
