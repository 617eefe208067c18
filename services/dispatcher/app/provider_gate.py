"""Waits, before anything is claimed, until the provider may be called, and for how many mails."""

import asyncio
import logging
from collections.abc import Callable, Sequence

import msgspec

from libs.clock import monotonic_s
from libs.resilience import repeating
from services.dispatcher.adapters import pauses, permits
from services.dispatcher.adapters.metrics import (
    BREAKER_IS_OPEN,
    PROVIDER_PAUSE_SECONDS,
    THROTTLED,
)
from services.dispatcher.adapters.permits import Granted, Rate
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.take_batch import HELD_S
from services.dispatcher.domain.delivery import Result, longest_pause_s

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.5
_SHORTEST_SLEEP_S = 0.02
_PROBE_MAILS = 1
"""What is risked on a provider that was in trouble a moment ago."""


class DrainingError(Exception):
    """The process is stopping and has not claimed anything: the message goes back to its queue."""


class _Answer(msgspec.Struct, frozen=True):
    """How many mails may go out now; if none, look again after ``wait_s``."""

    mails: int
    wait_s: float = 0.0


async def await_open_gate(
    courier: Courier, *, wanted: int, longest_s: float, is_draining: Callable[[], bool]
) -> int:
    """Return for how many mails, up to ``wanted``, breaker, pause and rate let a call through.

    0 after ``longest_s``. What is not used goes back by ``give_back``.

    Raises:
        DrainingError: the process began to drain meanwhile.
    """
    started_s = monotonic_s()
    while not (answer := await _answer(courier, wanted)).mails:
        if is_draining():
            raise DrainingError
        if monotonic_s() - started_s > longest_s:
            return 0
        await asyncio.sleep(max(min(answer.wait_s, _LOOK_AGAIN_S), _SHORTEST_SLEEP_S))
    return answer.mails


async def give_back(courier: Courier, *, unused: int) -> None:
    """Give back what the gate let through and nobody needed."""
    rate = courier.rate
    if rate is None or unused <= 0:
        return
    async with courier.pool.acquire() as connection:
        await permits.give_back_permits(
            connection, courier.provider.traits.name, rate, unused=unused
        )


async def keep_pause(courier: Courier, results: Sequence[Result]) -> None:
    """Have every dispatcher leave the provider alone for as long as it asked."""
    pause_s = longest_pause_s(results)
    if pause_s <= 0:
        return
    name = courier.provider.traits.name
    async with courier.pool.acquire() as connection:
        await pauses.pause_provider(connection, name, pause_s=pause_s)
    logger.info("provider.paused", extra={"provider": name, "pause_s": pause_s})


async def _answer(courier: Courier, wanted: int) -> _Answer:
    name = courier.provider.traits.name
    is_open = courier.guard.is_open()
    BREAKER_IS_OPEN.set(is_open, provider=name)
    if is_open:
        return _Answer(0, _LOOK_AGAIN_S)
    left_s = await repeating(lambda: _pause_left_s(courier, name), within_s=HELD_S)
    PROVIDER_PAUSE_SECONDS.set(left_s, provider=name)
    if left_s > 0:
        return _Answer(0, left_s)
    if courier.guard.state != "closed":
        wanted = min(wanted, _PROBE_MAILS)
    if courier.rate is None:
        return _Answer(wanted)
    return await _permitted(courier, courier.rate, wanted)


async def _pause_left_s(courier: Courier, name: str) -> float:
    async with courier.pool.acquire() as connection:
        return await pauses.read_pause_left_s(connection, name)


async def _permitted(courier: Courier, rate: Rate, wanted: int) -> _Answer:
    name = courier.provider.traits.name

    async def take() -> Granted:
        async with courier.pool.acquire() as connection:
            return await permits.take_permits(connection, name, rate, wanted=wanted)

    granted = await repeating(take, within_s=HELD_S)
    if not granted.permits:
        THROTTLED.add(provider=name)
    return _Answer(granted.permits, granted.wait_s)
