"""What delivering needs, gathered once by the wiring."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from contracts.kinds import KINDS, Kind
from libs.clock import Clock
from libs.postgres.types import Pool
from libs.resilience import Guard, retry_delay_s
from services.dispatcher.adapters.permits import Rate
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.domain.greeting import Greetings

LAST_CHANCE_S = 60.0
"""Real seconds before its expiry at which a mail is tried for the last time."""

KEY_MARGIN_S = 120.0
"""Real seconds before a key's end from which nothing is repeated under it any more."""


@dataclass(frozen=True, kw_only=True)
class Courier:
    """The tables, the provider and its breaker, the texts and the clock.

    ``lease_s`` is how long a claim is ours, in real seconds: longer than the provider's time-out.
    ``rate`` is what all dispatchers together may send, None for as much as they can.
    """

    pool: Pool
    clock: Clock
    provider: Provider
    guard: Guard
    greetings: Greetings
    lease_s: float
    rate: Rate | None = None
    kinds: Mapping[str, Kind] = field(default_factory=lambda: KINDS)
    random: Random = field(default_factory=Random)

    @property
    def repeatable_s(self) -> float:
        """Real seconds after a lease until which the provider surely knows the key used in it."""
        return self.provider.traits.keys_live_s - self.lease_s - KEY_MARGIN_S

    def retry_at(
        self,
        now: datetime,
        *,
        attempts: int,
        pause_s: float | None = None,
        expires_at: datetime | None = None,
    ) -> datetime:
        """Return when to try again after ``attempts`` earlier attempts and the one that failed.

        Not before the provider's pause has passed; at once where that has passed already, the first
        time. The delay lasts as long in reality whatever the calendar's rate. One that would end
        after ``expires_at`` is cut so that a last attempt is made just before.
        """
        delay_s = max(retry_delay_s(attempts + 1, random=self.random), pause_s or 0.0)
        if pause_s == 0 and not attempts:
            delay_s = 0.0
        retry_at = now + timedelta(seconds=delay_s * self.clock.rate)
        if expires_at is None:
            return retry_at
        last_at = expires_at - timedelta(seconds=LAST_CHANCE_S * self.clock.rate)
        not_before = now + timedelta(seconds=(pause_s or 0.0) * self.clock.rate)
        return max(min(retry_at, last_at), not_before) if last_at > now else retry_at
