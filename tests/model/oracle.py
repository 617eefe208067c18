"""What is owed, by rules of its own: nothing here knows the product's code.

Instants are found by looking at clocks: the first quarter of an hour, in UTC order, at which a
clock in the zone shows the day and the wall time or later. No local time is ever converted back.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

LATE_LIMIT = timedelta(hours=48)
NINE = (9, 0)
KIND_NAMES = ("birthday", "anniversary")
LONG_BEFORE = datetime(1, 1, 1, tzinfo=UTC)


@cache
def nine_on(day: date, zone: str) -> datetime:
    """Return the first moment at which clocks in ``zone`` show ``day`` and nine or later."""
    place = ZoneInfo(zone)
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=15)
    for _ in range(4 * 24 * 3):
        local = moment.astimezone(place)
        # A day that does not exist is followed by the next one.
        if local.date() >= day and (local.hour, local.minute) >= NINE:
            return moment
        moment += timedelta(minutes=15)
    raise LookupError(f"no nine o'clock on {day} in {zone}")


@dataclass(frozen=True, kw_only=True)
class Version:
    """One person as told at ``at``, from version ``number`` on."""

    number: int
    at: datetime
    is_active: bool
    zone: str
    leap_day: str
    dates: dict[str, str]
    opt_outs: frozenset[str]
    email: str
    born_at: datetime
    set_at: dict[str, datetime] = field(default_factory=dict)
    wanted_at: dict[str, datetime] = field(default_factory=dict)

    def since(self, kind: str) -> datetime:
        """Return before which moment nothing of ``kind`` is owed."""
        return max(
            self.born_at, self.set_at.get(kind, LONG_BEFORE), self.wanted_at.get(kind, LONG_BEFORE)
        )

    def falls_on(self, kind: str, day: date) -> bool:
        """Tell whether the date of ``kind`` comes round on ``day``."""
        text = self.dates.get(kind)
        if text is None:
            return False
        year, month_day = text[:-6], text[-5:]
        if month_day == "02-29" and not _is_leap(day.year):
            month_day = {"feb28": "02-28", "mar1": "03-01"}[self.leap_day]
        has_begun = year == "-" or date.fromisoformat(text) <= day
        return has_begun and f"{day:%m-%d}" == month_day

    def wants(self, kind: str) -> bool:
        """Tell whether the person is there and did not opt out."""
        return self.is_active and kind not in self.opt_outs


class History:
    """Every version of one person, in order."""

    def __init__(self) -> None:
        self.versions: list[Version] = []

    @property
    def last(self) -> Version:
        """The newest version."""
        return self.versions[-1]

    def get(self, number: int) -> Version:
        """Return the version with that number."""
        return self.versions[number - 1]

    def register(self, at: datetime, **given: object) -> None:
        """Begin with version 1."""
        dates: dict[str, str] = dict(given.pop("dates"))  # type: ignore[call-overload]
        self.versions.append(
            Version(
                number=1,
                at=at,
                is_active=True,
                dates=dates,
                born_at=at,
                set_at=dict.fromkeys(dates, at),
                **given,  # type: ignore[arg-type]
            )
        )

    def change(self, at: datetime, **given: object) -> None:
        """Add a version in which ``given`` is different."""
        before = self.last
        after = replace(before, number=before.number + 1, at=at, **given)  # type: ignore[arg-type]
        set_at = {
            kind: before.set_at[kind]
            if kind in before.dates and before.dates[kind][-5:] == text[-5:]
            else at
            for kind, text in after.dates.items()
        }
        back = before.opt_outs - after.opt_outs
        wanted_at = before.wanted_at | dict.fromkeys(back, at)
        self.versions.append(replace(after, set_at=set_at, wanted_at=wanted_at))

    def delete(self, at: datetime) -> None:
        """Add the deletion; erasing is one too."""
        last = self.last
        self.versions.append(replace(last, number=last.number + 1, at=at, is_active=False))

    def restore(self, at: datetime) -> None:
        """Add the restoration."""
        last = self.last
        self.versions.append(
            replace(last, number=last.number + 1, at=at, is_active=True, born_at=at)
        )

    def ever_falls_on(self, kind: str, day: date) -> bool:
        """Tell whether the date of ``kind`` came round on ``day`` at any version."""
        return any(version.falls_on(kind, day) for version in self.versions)

    def owes(self, number: int, kind: str, day: date) -> bool:
        """Tell whether, at that version, a greeting of ``kind`` for ``day`` is owed.

        It must have been known by its instant, where the person lived then: one that was owed in a
        zone they lived in stays owed when they move.
        """
        version = self.get(number)
        if not (version.wants(kind) and version.falls_on(kind, day)):
            return False
        since = version.since(kind)
        return any(nine_on(day, zone) >= since for zone in self._zones(number, since))

    def was_owed_in_time(self, kind: str, day: date) -> bool:
        """Tell whether it was owed at any version that came before its late limit."""
        return any(
            version.at <= nine_on(day, version.zone) + LATE_LIMIT
            for version in self.versions
            if self.owes(version.number, kind, day)
        )

    def _zones(self, number: int, since: datetime) -> set[str]:
        """Return the zone at that version and those the person left after ``since``."""
        versions = self.versions[:number]
        left = {a.zone for a, b in pairwise(versions) if b.at > since and a.zone != b.zone}
        return left | {versions[-1].zone}


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
