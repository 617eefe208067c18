"""Waiting for something outside this process, with an end."""

import time
from collections.abc import Callable


def wait_until(
    is_reached: Callable[[], bool],
    *,
    timeout_s: float,
    pause_s: float = 0.05,
    still_waiting: Callable[[float], None] | None = None,
) -> bool:
    """Return whether ``is_reached`` became true within ``timeout_s`` of real time.

    ``still_waiting`` is called with the seconds waited so far, about every ten seconds.
    """
    begun = time.monotonic()
    told_s = 0.0
    while not is_reached():
        waited_s = time.monotonic() - begun
        if waited_s > timeout_s:
            return False
        if still_waiting is not None and waited_s - told_s >= 10.0:
            told_s = waited_s
            still_waiting(waited_s)
        time.sleep(pause_s)
    return True
