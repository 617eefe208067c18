"""One command from its first line to its exit status."""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Final, NoReturn

import uvloop

from libs.clock import ClockSpecError
from libs.resilience import LoginRefusedError
from libs.runtime.stopping import Stopping, set_current
from libs.settings import SettingsError
from libs.telemetry.tracing import shutdown_tracing

logger = logging.getLogger(__name__)

FAILED: Final = 1
"""Exit status after an error, or when work was cut off because draining took too long."""
MISTAKEN: Final = 2
"""Exit status when the process was started wrongly: settings, arguments, migrations, a port."""

_COLLECTIONS: Final = (10_000, 3, 3)
"""Objects between two looks for cycles; looks between those that go further, and those at all."""

Main = Callable[[], Coroutine[Any, Any, None]]


class StartupError(Exception):
    """The process cannot start until an operator does what the text says."""


class DrainTimeoutError(Exception):
    """Work that was taken did not end in time and was cut off."""

    def __init__(self, names: list[str], timeout_s: float) -> None:
        super().__init__(f"still at work after {timeout_s:g} s: {', '.join(names)}")
        self.names = names


def run_process(main: Main) -> NoReturn:
    """Run ``main`` under uvloop and leave with its exit status: 0, ``FAILED`` or ``MISTAKEN``.

    The first SIGTERM or SIGINT begins to drain (``current_stopping``); before ``supervise`` runs
    it ends the start. A second one cuts everything off. A wrong start is told in one clear text.
    """
    _collect_seldom()
    try:
        status = uvloop.run(_run_until_drained(main))
    except (SettingsError, StartupError, ClockSpecError, LoginRefusedError) as error:
        sys.stderr.write(f"{error}\n")
        status = MISTAKEN
    finally:
        shutdown_tracing()
    sys.exit(status)


def _collect_seldom() -> None:
    """Look for cycles of garbage less often, and never in what was imported.

    A batch makes objects by the thousand and drops them by their counts alone: looking for cycles
    at every 700th takes longer than some of the work. What does hang in cycles goes with the next
    look at all of them, before it is counted in megabytes.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECTIONS)


async def _run_until_drained(main: Main) -> int:
    stopping = Stopping()
    set_current(stopping)
    task = asyncio.ensure_future(main())
    received: list[str] = []

    def stop(signal_name: str) -> None:
        received.append(signal_name)
        is_at_once = len(received) > 1 or not stopping.is_drained_by_someone
        logger.info("process.stopping", extra={"signal": signal_name, "at_once": is_at_once})
        stopping.begin(signal_name)
        if is_at_once:
            task.cancel()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number.name)
    return await _status_of(task, received)


async def _status_of(task: "asyncio.Future[None]", received: Sequence[str]) -> int:
    try:
        await task
    except asyncio.CancelledError:
        # Ended by the only signal, before there was anything to finish: that is no failure.
        return 0 if len(received) == 1 else FAILED
    except DrainTimeoutError as error:
        logger.error("process.cut_off", extra={"at_work": error.names})  # noqa: TRY400
        return FAILED
    return 0
