"""What operators hold back: pauses, which end, and cancellations, which do not."""

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

Hold = Literal["called_off", "paused"]
"""Why an occurrence is held back; the first wins where both hold."""


class Pause(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing of this person and kind is sent until it is resumed; None is everyone, every kind."""

    pause_id: UUID
    person_id: UUID | None
    kind: str | None
    reason: str | None
    paused_at: datetime
    paused_by: str
    resumed_at: datetime | None = None
    resumed_by: str | None = None


class Cancellation(msgspec.Struct, frozen=True, kw_only=True):
    """What of this person and kind falls on these days, both included, is called off for good.

    None is everyone, every kind.
    """

    cancellation_id: UUID
    person_id: UUID | None
    kind: str | None
    first_day: date
    last_day: date
    reason: str | None
    cancelled_at: datetime
    cancelled_by: str

    def covers(self, local_day: date) -> bool:
        """Tell whether it calls off what falls on ``local_day``."""
        return self.first_day <= local_day <= self.last_day
