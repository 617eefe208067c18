"""What a range of days will bring, decided group by group with the rule that plans."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal

import msgspec

from contracts.kinds import Cadence, Kind
from services.planner.domain.backlog import Arrival, Delivery, Fate, Outage, work_off
from services.planner.domain.decision import Decision, InstantOf, decide
from services.planner.domain.explanation import days_between
from services.planner.domain.facts import Facts
from services.planner.domain.falling import due_instant
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import LeapDay

Per = Literal["minute", "hour", "day"]
"""How finely a timeline is told."""

NO_DAY = "no_day_in_range"
"""The word for whoever has the date but not within the range."""
MAX_MOVES = 200

_TELLING_CHARACTERS: Mapping[Cadence, int] = {"yearly": 5, "monthly": 2, "daily": 0}
_WHOLE_DATE = 10


class KindChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different about a kind. What is None stays as it is."""

    wall_time: time | None = None
    late_limit: timedelta | None = None
    cadence: Cadence | None = None


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """A world to simulate: its kinds, clocks and provider.

    ``leap_day`` replaces everybody's preference where it is given.
    """

    kinds: Mapping[str, Kind]
    instant_of: InstantOf = due_instant
    leap_day: LeapDay | None = None
    mails_per_s: float | None = None
    outage: Outage | None = None


class Group(msgspec.Struct, frozen=True):
    """People about whom every decision on a kind is the same; ``recipient`` stands for them."""

    people: int
    examples: tuple[str, ...]
    recipient: Recipient
    facts: Facts


class Silence(msgspec.Struct, frozen=True):
    """People who get nothing of ``kind``, and why."""

    kind: str
    reason: str
    people: int
    examples: list[str]


class KindCount(msgspec.Struct, frozen=True):
    """How many greetings of a kind there are, to how many people, and how many get none."""

    kind: str
    greetings: int
    people: int
    people_without: int


class ZoneCount(msgspec.Struct, frozen=True):
    """How many greetings of a kind go to people of a zone."""

    zone: str
    kind: str
    greetings: int


class Slot(msgspec.Struct, frozen=True):
    """Greetings of a kind that are due within the minute, hour or day ``at``.

    ``expired`` of them are never sent; ``last_sent_at`` is when the last of the others is.
    """

    at: datetime
    kind: str
    greetings: int
    expired: int
    last_sent_at: datetime | None


class Outlook(msgspec.Struct, frozen=True, kw_only=True):
    """What the range brings in one setting."""

    greetings: int
    kinds: list[KindCount]
    timeline: list[Slot]
    zones: list[ZoneCount]
    nothing: list[Silence]
    delivery: Delivery


class Move(msgspec.Struct, frozen=True):
    """Greetings of a zone and local day that are due at another instant."""

    kind: str
    local_day: date
    zone: str
    was_at: datetime
    at: datetime
    greetings: int


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """How many greetings stay at their instant, move, come or go.

    ``moves_left_off`` greetings move beside those in ``moves``.
    """

    same: int
    moved: int
    added: int
    gone: int
    moves: list[Move]
    moves_left_off: int


def telling_characters(kind: Kind) -> int:
    """Return how many characters at a date's end decide on which days it falls once it has begun.

    Of cadences not listed, and where days are counted from the date, it is the whole of it.
    """
    return _WHOLE_DATE if kind.offset_days else _TELLING_CHARACTERS.get(kind.cadence, _WHOLE_DATE)


def decisions_on(
    group: Group, kind: Kind, setting: Setting, *, first: date, last: date
) -> list[Decision]:
    """Return the decision on each day of the range on which ``kind`` falls, or on none at all."""
    recipient = group.recipient
    if setting.leap_day is not None:
        recipient = msgspec.structs.replace(recipient, leap_day=setting.leap_day)
    days: Sequence[date | None] = []
    if recipient.is_active and kind.name not in recipient.opt_outs:
        days = days_between(recipient, kind, first=first, last=last)
    return [
        decide(recipient, kind, day, facts=group.facts, instant_of=setting.instant_of)
        for day in days or [None]
    ]


class Tally:
    """Adds groups up. Its size depends on days, zones and kinds, never on people."""

    def __init__(self, *, examples: int) -> None:
        self._examples = examples
        self._arrivals: Counter[tuple[datetime, str, datetime]] = Counter()
        self._zones: Counter[tuple[str, str]] = Counter()
        self._greeted: Counter[str] = Counter()
        self._without: Counter[tuple[str, str]] = Counter()
        self._ids: dict[tuple[str, str], list[str]] = {}

    def add(self, group: Group, kind: str, decisions: Sequence[Decision]) -> None:
        """Count what ``decisions`` on ``kind`` mean for everyone in ``group``."""
        reasons = [decision.reason for decision in decisions]
        for decision, reason in zip(decisions, reasons, strict=True):
            if reason is None:
                _, due_at, expires_at, _ = decision.dated()
                self._arrivals[due_at, kind, expires_at] += group.people
                self._zones[group.recipient.zone, kind] += group.people
        if None in reasons:
            self._greeted[kind] += group.people
        elif reason := reasons[0]:
            self._note_silence(group, kind, NO_DAY if reason == "other_day" else reason)

    def outlook(self, *, per: Per, mails_per_s: float | None, outage: Outage | None) -> Outlook:
        """Return the sums, and how a provider works it all off."""
        arrivals = [
            Arrival(due_at, kind, count, expires_at)
            for (due_at, kind, expires_at), count in self._arrivals.items()
        ]
        delivery, fates = work_off(arrivals, mails_per_s=mails_per_s, outage=outage)
        return Outlook(
            greetings=sum(one.count for one in arrivals),
            kinds=self._kinds(arrivals),
            timeline=_timeline(arrivals, fates, per),
            zones=[
                ZoneCount(zone, kind, count) for (zone, kind), count in sorted(self._zones.items())
            ],
            nothing=[
                Silence(kind, reason, people, self._ids[kind, reason])
                for (kind, reason), people in sorted(self._without.items())
            ],
            delivery=delivery,
        )

    def _note_silence(self, group: Group, kind: str, reason: str) -> None:
        self._without[kind, reason] += group.people
        known = self._ids.setdefault((kind, reason), [])
        known += group.examples[: max(self._examples - len(known), 0)]

    def _kinds(self, arrivals: Iterable[Arrival]) -> list[KindCount]:
        greetings: Counter[str] = Counter()
        for one in arrivals:
            greetings[one.kind] += one.count
        without: Counter[str] = Counter()
        for (kind, _), people in self._without.items():
            without[kind] += people
        return [
            KindCount(kind, greetings[kind], self._greeted[kind], without[kind])
            for kind in sorted({*self._greeted, *without})
        ]


class Comparison:
    """Adds up what differs between the decisions of two settings."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._moves: Counter[tuple[str, date, str, datetime, datetime]] = Counter()
        self._left_off = 0

    def add(self, group: Group, was: Iterable[Decision], now: Iterable[Decision]) -> None:
        """Compare the decisions on one kind, day by day."""
        before, after = _owed(was), _owed(now)
        for key in before.keys() | after.keys():
            was_at, at = before.get(key), after.get(key)
            if was_at is None or at is None:
                self._counts["added" if was_at is None else "gone"] += group.people
            elif was_at == at:
                self._counts["same"] += group.people
            else:
                self._counts["moved"] += group.people
                self._note_move((key[0], key[1], group.recipient.zone, was_at, at), group.people)

    def difference(self) -> Difference:
        """Return the sums."""
        moves = [Move(*key, people) for key, people in sorted(self._moves.items())]
        return Difference(
            same=self._counts["same"],
            moved=self._counts["moved"],
            added=self._counts["added"],
            gone=self._counts["gone"],
            moves=moves,
            moves_left_off=self._left_off,
        )

    def _note_move(self, move: tuple[str, date, str, datetime, datetime], people: int) -> None:
        if move in self._moves or len(self._moves) < MAX_MOVES:
            self._moves[move] += people
        else:
            self._left_off += people


def _owed(decisions: Iterable[Decision]) -> dict[tuple[str, date], datetime]:
    return {
        (decision.kind, decision.dated()[0]): decision.dated()[1]
        for decision in decisions
        if decision.is_owed
    }


def _timeline(
    arrivals: Iterable[Arrival], fates: Mapping[tuple[datetime, str], Fate], per: Per
) -> list[Slot]:
    slots: dict[tuple[datetime, str], Slot] = {}
    for one in arrivals:
        fate = fates[one.due_at, one.kind]
        key = _cut(one.due_at, per), one.kind
        known = slots.get(key) or Slot(*key, 0, 0, None)
        last_sent_at = max(filter(None, (known.last_sent_at, fate.last_sent_at)), default=None)
        slots[key] = Slot(
            *key, known.greetings + one.count, known.expired + fate.expired, last_sent_at
        )
    return [slots[key] for key in sorted(slots)]


def _cut(at: datetime, per: Per) -> datetime:
    match per:
        case "minute":
            return at.replace(second=0, microsecond=0)
        case "hour":
            return at.replace(minute=0, second=0, microsecond=0)
        case _:
            return at.replace(hour=0, minute=0, second=0, microsecond=0)
