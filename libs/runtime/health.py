"""Whether a process lives and whether it is ready, with a reason for each "no"."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec

from libs.runtime.stopping import Stopping, current_stopping

CHECK_TIMEOUT_S: Final = 2.0

Check = Callable[[], Awaitable[str | None]]


class Report(msgspec.Struct, frozen=True):
    """What the checks found: ``checks`` holds "ok" or the reason, by name."""

    status: str
    checks: dict[str, str]

    @property
    def is_ok(self) -> bool:
        """Whether every check passed."""
        return self.status == "ok"


class Health:
    """The checks of one process. A check returns None when all is well, else the reason.

    A process that drains is not ready, whatever its checks say.
    """

    def __init__(self, stopping: Stopping | None = None) -> None:
        self._checks: dict[str, Check] = {}
        self._stopping = stopping or current_stopping()
        self._running: asyncio.Task[Report] | None = None

    def add(self, name: str, check: Check) -> None:
        """Make readiness depend on ``check``; it is given up after ``CHECK_TIMEOUT_S``."""
        if name in self._checks:
            raise ValueError(f"there is already a check named {name}")
        self._checks[name] = check

    async def live(self) -> Report:
        """Answer: that is all that liveness means; what it depends on is readiness."""
        return Report("ok", {})

    async def ready(self) -> Report:
        """Run all checks; callers that ask meanwhile share the answer."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run_checks(), name="readiness")
        return await asyncio.shield(self._running)

    async def _run_checks(self) -> Report:
        names = list(self._checks)
        found = await asyncio.gather(
            *(_with_time_limit(self._checks[name]) for name in names), return_exceptions=True
        )
        checks = {name: _worded(answer) for name, answer in zip(names, found, strict=True)}
        if self._stopping.is_set:
            checks["process"] = "draining"
        is_ok = all(answer == "ok" for answer in checks.values())
        return Report("ok" if is_ok else "failing", checks)


async def _with_time_limit(check: Check) -> str | None:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return await check()
    except TimeoutError:
        return f"no answer within {CHECK_TIMEOUT_S:g} s"


def _worded(answer: str | BaseException | None) -> str:
    if answer is None:
        return "ok"
    return answer if isinstance(answer, str) else f"failed with {type(answer).__name__}"
