"""When things happen: how the demo's real seconds and its calendar fit together."""

from datetime import UTC, datetime, timedelta

import msgspec

from deploy.demo.people import DEMO_DAY, NINE

FIRST_NINE = datetime.combine(DEMO_DAY, NINE, UTC) - timedelta(hours=14)
LAST_NINE = datetime.combine(DEMO_DAY, NINE, UTC) + timedelta(hours=12)

_OPENING = timedelta(hours=1)
_LEAD_S = 10.0


class Timetable(msgspec.Struct, frozen=True):
    """The people are imported while the calendar stands still at ``frozen_at``; then it runs.

    It starts to run early enough that every process is up an hour before the first 09:00, and
    never shows a time before ``frozen_at``.
    """

    rate: float

    @property
    def starts_at(self) -> datetime:
        """The calendar time shown once the processes have had their time to start."""
        return FIRST_NINE - _OPENING

    @property
    def frozen_at(self) -> datetime:
        """The calendar time of the import: at no zone's 09:00, which fall on quarters of hours."""
        latest = self.starts_at - timedelta(seconds=_LEAD_S * self.rate)
        return latest.replace(minute=20, second=0, microsecond=0) - timedelta(hours=1)

    def frozen_clock(self) -> str:
        """Return ``JUBILEE_CLOCK`` for the import."""
        return f"{_text(self.frozen_at)};rate=0"

    def running_clock(self, *, now_s: float) -> str:
        """Return ``JUBILEE_CLOCK`` for the day, where ``now_s`` is the present Unix time."""
        return f"{_text(self.starts_at)};rate={self.rate:g};since={now_s + _LEAD_S:.3f}"


def _text(instant: datetime) -> str:
    return instant.strftime("%Y-%m-%dT%H:%M:%SZ")
