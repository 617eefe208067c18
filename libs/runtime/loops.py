"""Level-triggered loops, and the supervision of all that a process runs."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final, Protocol

from libs.runtime.process import DrainTimeoutError
from libs.runtime.stopping import Stopping, current_stopping
from libs.telemetry.metrics import LOOP_FAILURES, LOOP_STEP_SECONDS, timed

logger = logging.getLogger(__name__)

FAILURES_UNTIL_UNREADY: Final = 3
"""Failures in a row after which a loop's health check complains."""

Step = Callable[[], Awaitable[float | None]]


class Loop:
    """Calls ``step`` again and again until the process drains.

    ``step`` does one bounded piece of work and returns the seconds to sleep: 0 means again at
    once, None means ``pause_s``. It must be safe to run again after it failed at any point: an
    error is logged and the step repeated after a pause that doubles from ``error_pause_s`` to
    ``error_pause_max_s``. Pauses are real time, whatever the calendar clock does.
    """

    def __init__(
        self,
        name: str,
        step: Step,
        *,
        pause_s: float = 1.0,
        error_pause_s: float = 0.5,
        error_pause_max_s: float = 30.0,
    ) -> None:
        self.name = name
        self.failures = 0
        self._step = step
        self._pause_s = pause_s
        self._error_pause_s = error_pause_s
        self._error_pause_max_s = error_pause_max_s
        self._woken = asyncio.Event()
        self._last_error = ""

    def wake(self) -> None:
        """End the current pause, or skip the next one if a step is under way."""
        self._woken.set()

    async def run(self, stopping: Stopping | None = None) -> None:
        """Work until ``stopping`` is set; a step under way is finished, not cut off."""
        stopping = stopping or current_stopping()
        watcher = asyncio.create_task(self._wake_when(stopping), name=f"{self.name} watcher")
        try:
            while not stopping.is_set:
                pause_s = await self._run_step()
                # Nobody may wake a loop that fails, or it would fail as often as it is woken.
                await _pause(pause_s, stopping.wait if self.failures else self._woken.wait)
        finally:
            watcher.cancel()

    async def check(self) -> str | None:
        """Return why this loop is unwell, for ``Health.add``."""
        if self.failures < FAILURES_UNTIL_UNREADY:
            return None
        return f"failed {self.failures} times in a row, last with {self._last_error}"

    async def _run_step(self) -> float:
        self._woken.clear()
        try:
            with timed(LOOP_STEP_SECONDS, loop=self.name):
                pause_s = await self._step()
        except asyncio.CancelledError as error:
            # The broker's client raises this when its connection dies under a pending call.
            # Taken for our own cancellation it would end the loop without a word.
            if _is_cancelled():
                raise
            return self._after_failure(error)
        except Exception as error:  # noqa: BLE001 - the only one: whatever it was, work goes on
            return self._after_failure(error)
        self.failures = 0
        return self._pause_s if pause_s is None else pause_s

    def _after_failure(self, error: BaseException) -> float:
        self.failures += 1
        self._last_error = type(error).__name__
        doublings = min(self.failures - 1, 30)
        pause_s = min(self._error_pause_s * (1 << doublings), self._error_pause_max_s)
        LOOP_FAILURES.add(loop=self.name)
        facts = {"loop": self.name, "failures": self.failures, "pause_s": pause_s}
        logger.error("loop.failed", extra=facts, exc_info=error)
        return pause_s

    async def _wake_when(self, stopping: Stopping) -> None:
        await stopping.wait()
        self._woken.set()


class Server(Protocol):
    """Work that others bring: an HTTP server, a consumer."""

    name: str

    async def serve(self) -> None:
        """Work until ``stop``; return when everything taken has been finished."""

    async def stop(self) -> None:
        """Take nothing new from now on."""


class EndedEarlyError(Exception):
    """A part of the process ended although nobody told it to."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} ended unbidden")
        self.name = name


async def supervise(
    loops: Sequence[Loop], servers: Sequence[Server] = (), *, drain_timeout_s: float = 30.0
) -> None:
    """Run everything until the process is told to stop, then drain.

    When one part ends or fails, all others are drained as well and its error is raised: a process
    works whole or not at all.

    Raises:
        DrainTimeoutError: something was still at work after ``drain_timeout_s`` and was cut off.
        EndedEarlyError: a server returned although nobody stopped it.
    """
    stopping = current_stopping()
    tasks = [asyncio.create_task(loop.run(stopping), name=loop.name) for loop in loops]
    tasks += [asyncio.create_task(server.serve(), name=server.name) for server in servers]
    told = asyncio.create_task(stopping.wait(), name="stop signal")
    try:
        with stopping.draining():
            await asyncio.wait([told, *tasks], return_when=asyncio.FIRST_COMPLETED)
            unbidden = None if stopping.is_set else _first_done(tasks)
            await _drain(tasks, servers, stopping=stopping, timeout_s=drain_timeout_s)
        if unbidden is not None:
            raise EndedEarlyError(unbidden.get_name())
    finally:
        await _cut_off([told, *tasks])


async def _pause(pause_s: float, ended_by: Callable[[], Awaitable[object]]) -> None:
    if pause_s <= 0:
        await asyncio.sleep(0)
        return
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(pause_s):
            await ended_by()


async def _drain(
    tasks: Sequence["asyncio.Task[None]"],
    servers: Sequence[Server],
    *,
    stopping: Stopping,
    timeout_s: float,
) -> None:
    stopping.begin("a part ended")
    stops = [asyncio.create_task(server.stop(), name=server.name) for server in servers]
    _, late = await asyncio.wait([*stops, *tasks], timeout=timeout_s)
    await _cut_off(late)
    for task in (*tasks, *stops):
        if not task.cancelled() and (error := task.exception()) is not None:
            raise error
    if late:
        raise DrainTimeoutError(sorted({task.get_name() for task in late}), timeout_s)


async def _cut_off(tasks: Iterable["asyncio.Task[None]"]) -> None:
    unfinished = [task for task in tasks if not task.done()]
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)


def _first_done(tasks: Sequence["asyncio.Task[None]"]) -> "asyncio.Task[None] | None":
    return next((task for task in tasks if task.done()), None)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
