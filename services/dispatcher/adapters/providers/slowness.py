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
        self._took_s: list[float] = []

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Measure one call, also where it fails."""
        started_s = monotonic_s()
        try:
            yield
        finally:
            self.note(monotonic_s() - started_s)

    def note(self, took_s: float) -> None:
        """Keep how long one call took."""
        self._took_s.append(took_s)

    def tell(self) -> None:
        """Count the calls, and warn where there were slow ones."""
        PROVIDER_CALL_SECONDS.observe_all(self._took_s, provider=self._provider)
        slow = [took_s for took_s in self._took_s if took_s >= SLOW_S]
        if slow:
            logger.warning(
                "provider.slow",
                extra={
                    "provider": self._provider,
                    "calls": len(slow),
                    "longest_s": round(max(slow), 3),
                },
            )
