"""What decides about an occurrence beside the person and the kind."""

from collections.abc import Mapping
from datetime import date, datetime

import msgspec

from contracts.recipient_events import EVERY_KIND
from services.planner.domain.holds import Cancellation, Pause
from services.planner.domain.state import PENDING, State

# Ended only because the person was away: planning brings such a row back when it is owed again.
_RETURNING = frozenset({"user_removed", "opted_out"})


class PlannedDay(msgspec.Struct, frozen=True):
    """A row of the plan: what has become of one local day of a person and a kind."""

    local_day: date
    period: date
    state: State
    reason: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether no mail comes of it any more, whatever the rules say by now."""
        if self.state == "suppressed":
            return self.reason not in _RETURNING
        return self.state in {"refused", "unknown", "expired"}


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known at the time of asking; by default nothing, as when a day is planned ahead.

    ``now`` is when the question is asked. ``rows`` are the plan's rows of this person and kind, at
    least those of the period in question. ``blocks`` maps a kind, or ``*`` for every kind, to the
    reason for which the dispatcher mails nothing. ``pauses``, open ones, and ``cancellations`` are
    those that hold this person or everyone.
    """

    now: datetime | None = None
    rows: tuple[PlannedDay, ...] = ()
    blocks: Mapping[str, str] = {}
    pauses: tuple[Pause, ...] = ()
    cancellations: tuple[Cancellation, ...] = ()

    def row_on(self, local_day: date | None) -> PlannedDay | None:
        """Return what the plan holds for ``local_day``."""
        return next((row for row in self.rows if row.local_day == local_day), None)

    def is_pending(self, local_day: date) -> bool:
        """Tell whether the plan holds ``local_day`` undecided: what was owed stays owed."""
        row = self.row_on(local_day)
        return row is not None and row.state in PENDING

    def holder_of(self, period: date, *, beside: date) -> PlannedDay | None:
        """Return the other day of ``period`` that was greeted, or may have been."""
        others = [row for row in self.rows if row.period == period and row.local_day != beside]
        greeted = [row for row in others if row.state == "accepted"]
        under_way = [row for row in others if row.state in {"released", "unknown"}]
        return next(iter(greeted + under_way), None)

    def block_of(self, kind: str) -> str | None:
        """Return the reason for which nothing of ``kind`` is mailed."""
        return self.blocks.get(kind) or self.blocks.get(EVERY_KIND)

    def pauses_of(self, kind: str) -> tuple[Pause, ...]:
        """Return the pauses that hold ``kind``: all of them have to end."""
        return tuple(pause for pause in self.pauses if pause.kind in {None, kind})

    def cancellation_of(self, kind: str, local_day: date) -> Cancellation | None:
        """Return what calls off ``kind`` on ``local_day``."""
        found = (
            one for one in self.cancellations if one.kind in {None, kind} and one.covers(local_day)
        )
        return next(found, None)

    def was_greeted(self, local_day: date) -> bool:
        """Tell whether the mail of ``local_day`` was taken: nothing holds it any more."""
        row = self.row_on(local_day)
        return row is not None and row.state == "accepted"


NO_FACTS = Facts()
