"""Waits, before anything is claimed, until the provider may be called."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from libs.clock import monotonic_s
from libs.resilience import repeating
from services.dispatcher.adapters import pauses
from services.dispatcher.adapters.metrics import BREAKER_IS_OPEN, PROVIDER_PAUSE_SECONDS
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.take_batch import HELD_S
from services.dispatcher.domain.delivery import Result, longest_pause_s

logger = logging.getLogger(__name__)

_LOOK_AGAIN_S = 0.5
_SHORTEST_SLEEP_S = 0.02


class DrainingError(Exception):
    """The process is stopping and has not claimed anything: the message goes back to its queue."""


async def await_open_gate(
    courier: Courier, *, longest_s: float, is_draining: Callable[[], bool]
) -> bool:
    """Return True once breaker and pause let a call through, False after ``longest_s``.

    Raises:
        DrainingError: the process began to drain meanwhile.
    """
    started_s = monotonic_s()
    while (wait_s := await _closed_for_s(courier)) > 0:
        if is_draining():
            raise DrainingError
        if monotonic_s() - started_s > longest_s:
            return False
        await asyncio.sleep(max(min(wait_s, _LOOK_AGAIN_S), _SHORTEST_SLEEP_S))
    return True


async def keep_pause(courier: Courier, results: Sequence[Result]) -> None:
    """Have every dispatcher leave the provider alone for as long as it asked."""
    pause_s = longest_pause_s(results)
    if pause_s <= 0:
        return
    name = courier.provider.traits.name
    async with courier.pool.acquire() as connection:
        await pauses.pause_provider(connection, name, pause_s=pause_s)
    logger.info("provider.paused", extra={"provider": name, "pause_s": pause_s})


async def _closed_for_s(courier: Courier) -> float:
    name = courier.provider.traits.name
    is_open = courier.guard.is_open()
    BREAKER_IS_OPEN.set(is_open, provider=name)
    if is_open:
        return _LOOK_AGAIN_S
    left_s = await repeating(lambda: _pause_left_s(courier, name), within_s=HELD_S)
    PROVIDER_PAUSE_SECONDS.set(left_s, provider=name)
    return left_s


async def _pause_left_s(courier: Courier, name: str) -> float:
    async with courier.pool.acquire() as connection:
        return await pauses.read_pause_left_s(connection, name)
