"""Audits the ledger, a piece at a time, and shows what does not balance."""

from collections import deque
from collections.abc import Mapping

from contracts.kinds import Kind
from libs.clock import Clock
from libs.postgres.types import Pool
from services.planner.adapters import metrics
from services.planner.adapters.audits import Stretch
from services.planner.app.auditing import count_missing, list_stretches, measure_standing

_CELEBRATIONS_AT_ONCE = 5000
_BETWEEN_PIECES_S = 0.1
_BETWEEN_ROUNDS_S = 300.0


class Auditing:
    """Goes through all that is owed again and again, a piece a step.

    Each round begins anew when its process does; that costs repetition, nothing else.
    """

    def __init__(self, pool: Pool, clock: Clock, kinds: Mapping[str, Kind]) -> None:
        self._pool = pool
        self._clock = clock
        self._kinds = kinds
        self._left: deque[Stretch] | None = None
        self._missing = 0

    async def step(self) -> float:
        """Look through a piece; after the last one of a round show the result."""
        kinds = self._kinds.values()
        if self._left is None:
            self._left, self._missing = deque(await list_stretches(self._pool, kinds)), 0
        if self._left:
            missing, rest = await count_missing(
                self._pool, kinds, self._left[0], limit=_CELEBRATIONS_AT_ONCE
            )
            self._left.popleft()
            self._missing += missing
            if rest is not None:
                self._left.appendleft(rest)
            return _BETWEEN_PIECES_S
        await self._show()
        self._left = None
        return _BETWEEN_ROUNDS_S

    async def _show(self) -> None:
        now, rate = self._clock.now(), self._clock.rate
        standing = await measure_standing(self._pool, self._kinds.values(), now=now, rate=rate)
        metrics.IMBALANCE.set(self._missing, cause="missing")
        metrics.IMBALANCE.set(standing.unanswered, cause="unanswered")
        metrics.IMBALANCE.set(standing.unclosed, cause="unclosed")
        metrics.OPEN_PAUSES.set(standing.open_pauses)
