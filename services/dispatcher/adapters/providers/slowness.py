"""Notices calls that a provider takes long for."""

import contextlib
import logging
from collections.abc import Iterator

from libs.clock import monotonic_s
from services.dispatcher.adapters.metrics import PROVIDER_CALL_SECONDS

logger = logging.getLogger(__name__)

SLOW_S = 1.0


class Calls:
    """The calls of one batch: each is measured, the slow ones are told in one line."""

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._slow: list[float] = []

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Measure one call, also where it fails."""
        started_s = monotonic_s()
        try:
            yield
        finally:
            took_s = monotonic_s() - started_s
            PROVIDER_CALL_SECONDS.observe(took_s, provider=self._provider)
            if took_s >= SLOW_S:
                self._slow.append(took_s)

    def tell(self) -> None:
        """Warn where there were slow calls."""
        if self._slow:
            logger.warning(
                "provider.slow",
                extra={
                    "provider": self._provider,
                    "calls": len(self._slow),
                    "longest_s": round(max(self._slow), 3),
                },
            )
