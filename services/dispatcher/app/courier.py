"""What delivering needs, gathered once by the wiring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from contracts.kinds import KINDS, Kind
from libs.clock import Clock
from libs.postgres.types import Pool
from libs.resilience import Guard, retry_delay_s
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.domain.greeting import Greetings


@dataclass(frozen=True, kw_only=True)
class Courier:
    """The tables, the provider and its breaker, the texts and the clock.

    ``lease_s`` is how long a claim is ours, in real seconds: longer than the provider's time-out.
    """

    pool: Pool
    clock: Clock
    provider: Provider
    guard: Guard
    greetings: Greetings
    lease_s: float
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    random: Random = field(default_factory=Random)

    def retry_at(self, now: datetime, *, attempts: int, pause_s: float | None = None) -> datetime:
        """Return when to try again after ``attempts`` earlier attempts and the one that failed.

        Not before the provider's pause has passed. The delay lasts as long in reality whatever the
        calendar's rate.
        """
        delay_s = max(retry_delay_s(attempts + 1, random=self.random), pause_s or 0.0)
        return now + timedelta(seconds=delay_s * self.clock.rate)
