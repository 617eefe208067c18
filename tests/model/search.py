"""Makes histories from seeds, plays them, and cuts a failing one down to what matters."""

import traceback
from collections import Counter
from collections.abc import Sequence
from random import Random

from libs.clock import monotonic_s
from tests.model.run import Action, Run
from tests.model.system import Servers
from tests.model.watch import Violation

WEIGHTS = {
    "register": 6,
    "move": 5,
    "redate": 4,
    "leap": 1,
    "opt": 4,
    "readdress": 1,
    "delete": 3,
    "restore": 3,
    "erase": 1,
    "suppress": 1,
    "allow": 1,
    "wait": 6,
    "wait_for_nine": 6,
    "relay_user": 8,
    "relay_dispatcher": 6,
    "deliver": 24,
    "lose": 1,
    "plan": 6,
    "release": 10,
    "ask_again": 3,
    "settle": 4,
    "close_days": 1,
    "misanswer": 3,
    "lose_confirms": 1,
    "pause": 2,
    "resume": 2,
    "cancel": 1,
    "unsubscribe": 1,
    "resubscribe": 1,
    "relay_planner": 3,
    "follow": 2,
    "rebuild_planner": 2,
    "rebuild_dispatcher": 2,
    "catch_up": 4,
}
SHORTEST, LONGEST = 10, 60
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
    beginning = [
        Action("register", slot, *_numbers(random)) for slot in range(random.randint(1, 3))
    ]
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
            actions = actions_of(seed)
            violation = await self.violation_of(seed, actions)
            if violation is not None:
                raise Found(seed, *await self._shortest(seed, actions, violation)) from violation
            seed += 1

    async def violation_of(self, seed: int, actions: Sequence[Action]) -> Violation | None:
        """Play ``actions``; return what went wrong, None if all went well."""
        self.tally.runs += 1
        self.tally.steps += len(actions)
        run = Run(self._servers, seed, _unique())
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
        self, seed: int, actions: Sequence[Action], violation: Violation
    ) -> tuple[list[Action], Violation]:
        """Leave out whatever can be left out while something still goes wrong."""
        kept, size = list(actions), max(len(actions) // 2, 1)
        while True:
            place, is_shorter = 0, False
            while place < len(kept):
                shorter = kept[:place] + kept[place + size :]
                found = await self.violation_of(seed, shorter)
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


def _unique() -> int:
    """Return another number for every history, for ids and addresses of its own."""
    global _last  # noqa: PLW0603
    _last += 1
    return _last
