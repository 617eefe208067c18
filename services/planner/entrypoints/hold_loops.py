"""Has the plan follow pauses that ended and cancellations, as soon as they are made."""

import msgspec

from libs.clock import Clock
from libs.postgres.types import Pool
from services.planner.adapters import metrics
from services.planner.app.following import follow_next_hold

_ROWS_AT_ONCE = 5000
_LOOK_EVERY_S = 0.2


class Following(msgspec.Struct, frozen=True):
    """Brings back what was paused and calls off what is cancelled, a slice a step."""

    pool: Pool
    clock: Clock

    async def step(self) -> float:
        """Have one slice of rows follow."""
        changed = await follow_next_hold(self.pool, now=self.clock.now(), limit=_ROWS_AT_ONCE)
        if changed is None:
            return _LOOK_EVERY_S
        metrics.FOLLOWED.add(changed)
        return 0
