"""Retry delays and the breaker."""

import asyncio
from random import Random

import pytest

from libs.resilience import CircuitOpenError, Guard, retry_delay_s


@pytest.mark.parametrize(
    ("attempt", "nominal_s"), [(1, 2), (2, 4), (3, 8), (4, 16), (5, 32), (12, 3600), (400, 3600)]
)
def test_delays_double_up_to_an_hour_and_are_spread(attempt: int, nominal_s: float) -> None:
    random = Random(1)
    delays = [retry_delay_s(attempt, random=random) for _ in range(200)]
    assert 0.75 * nominal_s <= min(delays) < max(delays) <= nominal_s


class DownError(Exception):
    """The dependency failed."""


class WrongError(Exception):
    """We asked for something wrong."""


async def _fail() -> None:
    raise DownError


async def _open(guard: Guard) -> None:
    for _ in range(3):
        with pytest.raises(DownError):
            await guard.run(_fail)


async def test_the_breaker_opens_after_failures_in_a_row() -> None:
    guard = Guard("provider", threshold=3, reset_after_s=60)
    await _open(guard)
    assert guard.is_open()
    with pytest.raises(CircuitOpenError):
        await guard.run(_fail)


async def test_a_thousand_refusals_leave_no_growing_traceback() -> None:
    guard = Guard("provider", threshold=3, reset_after_s=60)
    await _open(guard)
    for _ in range(1000):
        with pytest.raises(CircuitOpenError) as caught:
            await guard.run(_fail)
    assert caught.value.__context__ is None or caught.value.__suppress_context__


async def test_half_open_lets_one_probe_through() -> None:
    guard = Guard("provider", threshold=3, reset_after_s=0.01)
    await _open(guard)
    calls = 0
    release = asyncio.Event()

    async def probe() -> None:
        nonlocal calls
        calls += 1
        await release.wait()

    await asyncio.sleep(0.02)
    assert not guard.is_open()
    attempts = [asyncio.create_task(guard.run(probe)) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    release.set()
    results = await asyncio.gather(*attempts, return_exceptions=True)
    assert calls == 1
    assert sum(isinstance(result, CircuitOpenError) for result in results) == 19


async def test_what_is_ignored_and_what_is_cancelled_opens_nothing() -> None:
    guard = Guard("provider", threshold=1, reset_after_s=60, ignore=(WrongError,))

    async def wrong() -> None:
        raise WrongError

    with pytest.raises(WrongError):
        await guard.run(wrong)
    hanging = asyncio.create_task(guard.run(asyncio.Event().wait))
    await asyncio.sleep(0)
    hanging.cancel()
    await asyncio.gather(hanging, return_exceptions=True)
    assert not guard.is_open()
