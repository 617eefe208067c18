import asyncio
from collections.abc import Awaitable, Callable

import pytest

from libs.runtime.loops import EndedEarlyError, Loop, supervise
from libs.runtime.process import DrainTimeoutError
from libs.runtime.stopping import Stopping, set_current

LONG_S = 3600.0


@pytest.fixture
def stopping() -> Stopping:
    stopping = Stopping()
    set_current(stopping)
    return stopping


def script(stopping: Stopping, *results: float | BaseException | None) -> "Script":
    return Script(stopping, list(results))


class Script:
    """A step that plays results one after the other and stops the process after the last."""

    def __init__(self, stopping: Stopping, results: list[float | BaseException | None]) -> None:
        self.stopping = stopping
        self.results = results
        self.calls = 0

    async def __call__(self) -> float | None:
        self.calls += 1
        result = self.results.pop(0)
        if not self.results:
            self.stopping.begin("end of script")
        if isinstance(result, BaseException):
            raise result
        return result


def loop(step: Callable[[], Awaitable[float | None]]) -> Loop:
    return Loop("test", step, pause_s=0.001, error_pause_s=0.001, error_pause_max_s=0.002)


async def test_a_loop_works_until_the_process_stops(stopping: Stopping) -> None:
    step = script(stopping, 0, None, 0.001, LONG_S)
    await loop(step).run(stopping)
    assert step.calls == 4


async def test_an_error_does_not_end_a_loop(stopping: Stopping) -> None:
    step = script(stopping, ValueError("bad"), OSError("gone"), 0)
    await loop(step).run(stopping)
    assert step.calls == 3


async def test_a_cancellation_nobody_asked_for_does_not_end_a_loop(stopping: Stopping) -> None:
    step = script(stopping, asyncio.CancelledError(), 0)
    await loop(step).run(stopping)
    assert step.calls == 2


async def test_a_real_cancellation_ends_a_loop(stopping: Stopping) -> None:
    task = asyncio.create_task(loop(asyncio.Event().wait).run(stopping))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_wake_ends_a_pause(stopping: Stopping) -> None:
    stepped = asyncio.Event()

    async def step() -> float:
        stepped.set()
        return LONG_S

    sleeper = Loop("sleeper", step)
    task = asyncio.create_task(sleeper.run(stopping))
    await stepped.wait()
    stepped.clear()
    sleeper.wake()
    await asyncio.wait_for(stepped.wait(), 5)
    stopping.begin("done")
    await asyncio.wait_for(task, 5)


async def test_wake_during_a_step_skips_the_next_pause(stopping: Stopping) -> None:
    calls = 0

    async def step() -> float:
        nonlocal calls
        calls += 1
        waker.wake() if calls == 1 else stopping.begin("done")
        return LONG_S

    waker = Loop("waker", step)
    await asyncio.wait_for(waker.run(stopping), 5)
    assert calls == 2


async def test_wake_does_not_shorten_the_pause_after_a_failure(stopping: Stopping) -> None:
    failed = asyncio.Event()

    async def step() -> None:
        failed.set()
        raise ValueError("bad")

    failing = Loop("failing", step, error_pause_s=LONG_S, error_pause_max_s=LONG_S)
    task = asyncio.create_task(failing.run(stopping))
    await failed.wait()
    failing.wake()
    await asyncio.sleep(0.01)
    assert failing.failures == 1
    stopping.begin("done")
    await asyncio.wait_for(task, 5)


async def test_a_loop_that_keeps_failing_says_so(stopping: Stopping) -> None:
    failing = loop(script(stopping, *[ValueError("secret")] * 3))
    await failing.run(stopping)
    assert await failing.check() == "failed 3 times in a row, last with ValueError"


async def test_a_success_makes_a_loop_well_again(stopping: Stopping) -> None:
    recovered = loop(script(stopping, *[ValueError("bad")] * 3, 0))
    await recovered.run(stopping)
    assert await recovered.check() is None


class Consumer:
    """A server with one thing in hand when it is stopped."""

    def __init__(self, *, finishes: bool = True) -> None:
        self.name = "consumer"
        self.finished = False
        self._finishes = finishes
        self._stopped = asyncio.Event()

    async def serve(self) -> None:
        await self._stopped.wait()
        await asyncio.sleep(0.01 if self._finishes else LONG_S)
        self.finished = True

    async def stop(self) -> None:
        self._stopped.set()


async def test_what_was_taken_is_finished_when_the_process_stops(stopping: Stopping) -> None:
    consumer = Consumer()
    await supervise([loop(script(stopping, 0))], [consumer])
    assert consumer.finished


async def test_work_that_does_not_end_is_cut_off(stopping: Stopping) -> None:
    with pytest.raises(DrainTimeoutError, match="consumer"):
        await supervise(
            [loop(script(stopping, 0))], [Consumer(finishes=False)], drain_timeout_s=0.01
        )


async def test_a_part_that_fails_drains_the_others_and_its_error_is_raised(
    stopping: Stopping,
) -> None:
    class Broken(Consumer):
        async def serve(self) -> None:
            raise ConnectionError("gone")

    consumer = Consumer()
    with pytest.raises(ConnectionError, match="gone"):
        await supervise([], [Broken(), consumer])
    assert consumer.finished
    assert stopping.is_set


async def test_a_part_that_ends_unbidden_is_an_error(stopping: Stopping) -> None:
    class Quitting(Consumer):
        async def serve(self) -> None:
            return

    with pytest.raises(EndedEarlyError, match="consumer"):
        await supervise([], [Quitting()])
    assert stopping.is_set
