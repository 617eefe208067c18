"""What arrived in the inbox: kept in memory, found by its names, and written to a ledger file."""

import os
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from deploy.demo.witness_clock import WitnessClock


class Arrival(msgspec.Struct, gc=False, omit_defaults=True):
    """One mail for one recipient, as it came in.

    ``accepted_s`` is real, in seconds since the Unix epoch; ``calendar_at`` is the same moment on
    the calendar of ``JUBILEE_CLOCK``. ``raw`` is the MIME source where the mail came by SMTP.
    """

    accepted_s: float
    to: str
    occurrence: str = ""
    message_id: str = ""
    calendar_at: datetime | None = None
    via: str = ""
    sender: str = ""
    subject: str = ""
    text: str = ""
    html: str = ""
    raw: str = ""


class Stats(msgspec.Struct, frozen=True):
    """Counts of everything that arrived; ``duplicates`` counts mails beyond the first of each."""

    count: int
    occurrences: int
    duplicates: int
    first_s: float | None
    last_s: float | None
    per_minute: dict[str, int]


class MailStore:
    """Keeps arrivals in order. In ``lean`` mode only occurrence and time are kept of each."""

    def __init__(
        self, clock: WitnessClock, *, ledger: Path | None = None, lean: bool = False
    ) -> None:
        self._clock = clock
        self._lean = lean
        self._encoder = msgspec.json.Encoder()
        self._ledger: int | None = None
        self.clear()
        if ledger is not None:
            self._open_ledger(ledger)

    def put(self, arrivals: Sequence[Arrival]) -> None:
        """Keep ``arrivals``; with a ledger file they are in it when this returns."""
        if self._lean:
            self._times.extend((arrival.occurrence, arrival.accepted_s) for arrival in arrivals)
            return
        for arrival in arrivals:
            arrival.calendar_at = self._clock.calendar_at(arrival.accepted_s)
        if self._ledger is not None:
            os.write(self._ledger, self._encoder.encode_lines(arrivals))
        self._remember(arrivals)

    def find(
        self, *, message_id: str = "", occurrence: str = "", to: str = "", not_after_s: float
    ) -> list[tuple[int, Arrival]]:
        """Return number and mail of all that match every given name, oldest first.

        Mails accepted after ``not_after_s`` are left out.
        """
        numbers = self._candidates(message_id=message_id, occurrence=occurrence, to=to)
        found = ((number, self._arrival(number)) for number in numbers)
        return [
            (number, mail)
            for number, mail in found
            if mail.accepted_s <= not_after_s
            and (not occurrence or mail.occurrence == occurrence)
            and (not to or mail.to.casefold() == to.casefold())
        ]

    def get(self, number: int) -> Arrival | None:
        """Return the mail with this number, None where there is none."""
        return self._arrival(number) if 0 <= number < len(self) else None

    def search(self, words: str) -> list[tuple[int, Arrival]]:
        """Return the mails whose addresses, subject or names contain ``words``, newest first."""
        wanted = words.casefold()
        newest_first = ((number, self._arrival(number)) for number in reversed(range(len(self))))
        return [(number, mail) for number, mail in newest_first if wanted in _haystack(mail)]

    def stats(self) -> Stats:
        """Return the counts; the minutes are calendar minutes, the last 180 in which mail came."""
        mails = [self._arrival(number) for number in range(len(self))]
        known = Counter(mail.occurrence for mail in mails if mail.occurrence)
        minutes = Counter(int(self._calendar_s(mail) // 60) for mail in mails)
        return Stats(
            count=len(mails),
            occurrences=len(known),
            duplicates=sum(known.values()) - len(known),
            first_s=mails[0].accepted_s if mails else None,
            last_s=mails[-1].accepted_s if mails else None,
            per_minute={_minute(m): minutes[m] for m in sorted(minutes)[-180:]},
        )

    def times(self) -> list[tuple[str, float]]:
        """Return occurrence and time of every mail, oldest first."""
        if self._lean:
            return self._times
        return [(arrival.occurrence, arrival.accepted_s) for arrival in self._arrivals]

    def clear(self) -> None:
        """Forget everything; the ledger file keeps its lines."""
        self._arrivals: list[Arrival] = []
        self._times: list[tuple[str, float]] = []
        self._by_occurrence: defaultdict[str, list[int]] = defaultdict(list)
        self._by_message_id: defaultdict[str, list[int]] = defaultdict(list)
        self._by_address: defaultdict[str, list[int]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._times) if self._lean else len(self._arrivals)

    def _arrival(self, number: int) -> Arrival:
        if not self._lean:
            return self._arrivals[number]
        occurrence, accepted_s = self._times[number]
        return Arrival(accepted_s=accepted_s, to="", occurrence=occurrence)

    def _candidates(self, *, message_id: str, occurrence: str, to: str) -> Iterable[int]:
        if self._lean:
            return range(len(self))
        if message_id:
            return self._by_message_id.get(message_id.strip("<>"), ())
        if occurrence:
            return self._by_occurrence.get(occurrence, ())
        return self._by_address.get(to.casefold(), ()) if to else range(len(self))

    def _remember(self, arrivals: Iterable[Arrival]) -> None:
        for number, arrival in enumerate(arrivals, start=len(self._arrivals)):
            self._arrivals.append(arrival)
            self._by_address[arrival.to.casefold()].append(number)
            if arrival.occurrence:
                self._by_occurrence[arrival.occurrence].append(number)
            if arrival.message_id:
                self._by_message_id[arrival.message_id.strip("<>")].append(number)

    def _calendar_s(self, mail: Arrival) -> float:
        return (mail.calendar_at or self._clock.calendar_at(mail.accepted_s)).timestamp()

    def _open_ledger(self, ledger: Path) -> None:
        if ledger.exists():
            self._remember(read_ledger(ledger))
        self._ledger = os.open(ledger, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)


def read_ledger(ledger: Path) -> list[Arrival]:
    """Return every mail in a ledger file, oldest first."""
    return msgspec.json.Decoder(Arrival).decode_lines(ledger.read_bytes())


def arrived_now() -> float:
    """Return the system clock's time, in seconds since the Unix epoch."""
    return time.time()


def _haystack(mail: Arrival) -> str:
    return f"{mail.to} {mail.subject} {mail.occurrence} {mail.message_id}".casefold()


def _minute(minutes: int) -> str:
    return datetime.fromtimestamp(minutes * 60, UTC).strftime("%Y-%m-%dT%H:%MZ")
