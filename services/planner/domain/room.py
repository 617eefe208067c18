"""How many more rows the lanes of one planner may release while others are unanswered."""

from collections.abc import Iterator
from contextlib import contextmanager


class Share:
    """A part of the room, held for one batch; ``released`` says how much of it the batch used."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.released = rows


class Room:
    """What ``limit`` leaves beside the releases that nobody has answered yet.

    Lanes that count and release at the same time share it: never are more than ``limit`` rows
    released and unanswered by the lanes of one process, whatever a count did not see yet. Several
    planners count for themselves: each may go beyond by what the others released since it looked.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._free = 0
        self._held = 0
        self._ever_held = 0

    @property
    def free(self) -> int:
        """How many more may be released now; below zero where ``limit`` was lowered."""
        return self._free

    def begin_count(self) -> int:
        """Return a mark to give to ``end_count``; call it before the count's snapshot is taken."""
        return self._ever_held - self._held

    def end_count(self, mark: int, unanswered: int) -> None:
        """Take over what was counted since ``mark``.

        A share that was held then, or since then, may not be among them: all of it counts as
        released until the next count.
        """
        self._free = self.limit - unanswered - (self._ever_held - mark)

    @contextmanager
    def share(self, wanted: int) -> Iterator[Share]:
        """Hold at most ``wanted`` rows of the room while a batch is released.

        What the batch did not use is free again. Where it fails, it may have been released all the
        same: nothing is free before the next count.
        """
        share = Share(max(min(wanted, self._free), 0))
        self._free -= share.rows
        self._held += share.rows
        self._ever_held += share.rows
        try:
            yield share
            self._free += share.rows - share.released
        finally:
            self._held -= share.rows
