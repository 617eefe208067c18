"""The one event that says: finish what was taken, take nothing new."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopping:
    """Set once, when the process has been told to stop or a part of it has failed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._drainers = 0
        self.reason: str | None = None

    @property
    def is_set(self) -> bool:
        """Whether draining has begun."""
        return self._event.is_set()

    @property
    def is_drained_by_someone(self) -> bool:
        """Whether somebody ends the work in order; before that, starting may be cut short."""
        return self._drainers > 0

    def begin(self, reason: str) -> None:
        """Begin to drain; only the first reason is kept."""
        if not self._event.is_set():
            self.reason = reason
            self._event.set()

    async def wait(self) -> None:
        """Return when draining begins."""
        await self._event.wait()

    @contextmanager
    def draining(self) -> Iterator[None]:
        """Promise to end the work in order when the event is set."""
        self._drainers += 1
        try:
            yield
        finally:
            self._drainers -= 1


_current: ContextVar[Stopping] = ContextVar("stopping")


def current_stopping() -> Stopping:
    """Return this process's event; outside of ``run_process`` (tests) one is made on first use."""
    try:
        return _current.get()
    except LookupError:
        stopping = Stopping()
        _current.set(stopping)
        return stopping


def set_current(stopping: Stopping) -> None:
    """Make ``stopping`` the event of this task and of all it starts."""
    _current.set(stopping)
