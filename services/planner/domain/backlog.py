"""How a provider works off what is due: the queue before it, an outage, what comes too late."""

from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec

LATE_AFTER = timedelta(minutes=1)
"""A mail that leaves longer after its instant than this counts as late."""

_NO_TIME = timedelta(0)
_MOMENT = timedelta(microseconds=1)
_ANY_NUMBER = 2**63


class Arrival(msgspec.Struct, frozen=True, order=True):
    """``count`` mails of a kind are due at one instant and useful until ``expires_at``."""

    due_at: datetime
    kind: str
    count: int
    expires_at: datetime


class Outage(msgspec.Struct, frozen=True, kw_only=True):
    """Nothing leaves from ``first_at`` on until ``last_at``."""

    first_at: datetime
    last_at: datetime


class Fate(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of an arrival. ``last_sent_at`` is None where all of it expires."""

    sent: int
    late: int
    expired: int
    last_sent_at: datetime | None


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What becomes of everything that is due.

    ``mails_per_s`` is the provider's limit, None where there is none. A backlog is what is due and
    has not left; ``longest_backlog_s`` is how long one lasts at most. ``busiest`` is how many are
    due within the minute ``busiest_at``.
    """

    mails_per_s: float | None
    sent: int
    late: int
    expired: int
    most_late_s: float
    last_sent_at: datetime | None
    largest_backlog: int
    longest_backlog_s: float
    busiest_at: datetime | None
    busiest: int


class _Leaving(msgspec.Struct, frozen=True):
    """``count`` mails leave, the first at ``start_at`` and each next one ``gap`` later."""

    start_at: datetime
    gap: timedelta
    count: int

    @property
    def last_at(self) -> datetime:
        """When the last one leaves."""
        return self.start_at + (self.count - 1) * self.gap

    @property
    def end_at(self) -> datetime:
        """When the provider is free for the next."""
        return self.start_at + self.count * self.gap

    def gone_by(self, at: datetime) -> int:
        """Return how many have left at ``at``."""
        if at < self.start_at:
            return 0
        return min(self.count, (at - self.start_at) // self.gap + 1) if self.gap else self.count


class _Provider:
    """Sends in order of arrival, at most ``mails_per_s`` and nothing during ``outage``."""

    def __init__(self, mails_per_s: float | None, outage: Outage | None) -> None:
        self._gap = _NO_TIME if mails_per_s is None else timedelta(seconds=1 / mails_per_s)
        self._outage = outage
        self._leaving: deque[_Leaving] = deque()
        self._waiting = 0
        self._free_at: datetime | None = None
        self._busy_since: datetime | None = None
        self.largest_backlog = 0
        self.longest_backlog = _NO_TIME

    def take(self, arrival: Arrival) -> Fate:
        """Queue ``arrival`` behind what came before and say what becomes of it."""
        if not self._backlog_at(arrival.due_at):
            self._busy_since = arrival.due_at
        pieces = list(self._pieces(arrival))
        for piece in pieces:
            self._leaving.append(piece)
            self._waiting += piece.count
            self._free_at = piece.end_at
        sent = sum(piece.count for piece in pieces)
        in_time = sum(piece.gone_by(arrival.due_at + LATE_AFTER) for piece in pieces)
        last_sent_at = pieces[-1].last_at if pieces else None
        self.largest_backlog = max(self.largest_backlog, self._backlog_at(arrival.due_at))
        if last_sent_at is not None and self._busy_since is not None:
            self.longest_backlog = max(self.longest_backlog, last_sent_at - self._busy_since)
        return Fate(
            sent=sent,
            late=sent - in_time,
            expired=arrival.count - sent,
            last_sent_at=last_sent_at,
        )

    def _pieces(self, arrival: Arrival) -> Iterator[_Leaving]:
        """Yield what leaves before the outage and what after it, as far as it is in time."""
        start_at = max(arrival.due_at, self._free_at or arrival.due_at)
        rest, outage = arrival.count, self._outage
        if outage is not None and start_at < outage.last_at:
            before = self._fitting(start_at, min(outage.first_at - _MOMENT, arrival.expires_at))
            if taken := min(before, rest):
                yield _Leaving(start_at, self._gap, taken)
            rest -= taken
            start_at = outage.last_at
        if taken := min(self._fitting(start_at, arrival.expires_at), rest):
            yield _Leaving(start_at, self._gap, taken)

    def _fitting(self, start_at: datetime, last_at: datetime) -> int:
        """Return how many can leave from ``start_at`` to ``last_at``, both included."""
        if start_at > last_at:
            return 0
        return (last_at - start_at) // self._gap + 1 if self._gap else _ANY_NUMBER

    def _backlog_at(self, at: datetime) -> int:
        """Return how many wait at ``at``; only the first piece can have left in part."""
        while self._leaving and self._leaving[0].last_at <= at:
            self._waiting -= self._leaving.popleft().count
        return self._waiting - (self._leaving[0].gone_by(at) if self._leaving else 0)


def work_off(
    arrivals: Iterable[Arrival], *, mails_per_s: float | None, outage: Outage | None
) -> tuple[Delivery, dict[tuple[datetime, str], Fate]]:
    """Return what becomes of ``arrivals`` as a whole, and of each by instant and kind."""
    due = sorted(arrivals)
    provider = _Provider(mails_per_s, outage)
    fates = {(one.due_at, one.kind): provider.take(one) for one in due}
    sent = [
        (fate.last_sent_at, fate.last_sent_at - one.due_at)
        for one in due
        if (fate := fates[one.due_at, one.kind]).last_sent_at is not None
    ]
    busiest_at, busiest = _busiest_minute(due)
    return Delivery(
        mails_per_s=mails_per_s,
        sent=sum(fate.sent for fate in fates.values()),
        late=sum(fate.late for fate in fates.values()),
        expired=sum(fate.expired for fate in fates.values()),
        most_late_s=max((late for _, late in sent), default=_NO_TIME).total_seconds(),
        last_sent_at=max((at for at, _ in sent), default=None),
        largest_backlog=provider.largest_backlog,
        longest_backlog_s=provider.longest_backlog.total_seconds(),
        busiest_at=busiest_at,
        busiest=busiest,
    ), fates


def _busiest_minute(due: Sequence[Arrival]) -> tuple[datetime | None, int]:
    minutes: Counter[datetime] = Counter()
    for one in due:
        minutes[one.due_at.replace(second=0, microsecond=0)] += one.count
    return max(minutes.items(), key=lambda found: found[1], default=(None, 0))
