"""Judges the run: every mail owed is there once, none other, none early, each with its text."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

import msgspec

from deploy.demo.mail_parts import texts_of
from deploy.demo.mail_store import Arrival
from deploy.demo.people import Expected

LEDGER_WORDS = (
    "owed",
    "accepted",
    "failed",
    "suppressed",
    "expired",
    "cancelled",
    "unknown",
    "pending",
)
"""The account of a day; the first is the sum of the others."""


class Name(NamedTuple):
    """What one mail is known by on both sides."""

    local_day: str
    person_id: str
    kind: str


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the inbox says against the expectation; ``faults`` are sentences, ideally none."""

    duplicates: int
    early: int
    faults: tuple[str, ...]


def name_of(occurrence: str) -> Name:
    """Return the parts of an occurrence key; empty ones where it is none."""
    parts = occurrence.split("/")
    return Name(*parts) if len(parts) == 3 else Name("", "", occurrence)


def names_of(owed: Iterable[Expected], ids: Mapping[str, str]) -> dict[Name, Expected]:
    """Return the expected mails by name; ``ids`` gives the person's id for an external one."""
    return {Name(str(e.local_day), ids[e.external_id], e.kind): e for e in owed}


def judge(
    arrivals: Iterable[Arrival], *, must: Mapping[Name, Expected], may: Mapping[Name, Expected]
) -> Verdict:
    """Compare the inbox with the mails that ``must`` be there and those that ``may`` be."""
    known = dict(may) | dict(must)
    arrived = [(name_of(mail.occurrence), mail) for mail in arrivals]
    times = Counter(name for name, _ in arrived)
    early = [name for name, mail in arrived if name in known and is_early(mail, known[name])]
    faults = [
        *(f"missing: {_spoken(known[name])}" for name in must if name not in times),
        *(f"sent {count} times: {'/'.join(n)}" for n, count in times.items() if count > 1),
        *(f"before its instant: {_spoken(known[name])}" for name in early),
        *_wrong_mails(arrived, known),
    ]
    duplicates = sum(times.values()) - len(times)
    return Verdict(duplicates=duplicates, early=len(early), faults=tuple(faults))


def ledger_line(account: Mapping[str, int], verdict: Verdict) -> str:
    """Return the last line of the demo."""
    counts = " ".join(f"{word}={account[word]}" for word in LEDGER_WORDS)
    return f"ledger: {counts} duplicates={verdict.duplicates} early={verdict.early}"


def balance_faults(account: Mapping[str, int], *, owed: int) -> list[str]:
    """Return what is wrong with the day's account, where ``owed`` mails were expected."""
    total = sum(account[word] for word in LEDGER_WORDS[1:])
    return [
        sentence
        for is_wrong, sentence in (
            (account["owed"] != total, f"the day owes {account['owed']} but accounts for {total}"),
            (account["owed"] != owed, f"the day owes {account['owed']}, expected were {owed}"),
            (account["accepted"] != owed, f"{account['accepted']} of {owed} were accepted"),
        )
        if is_wrong
    ]


def is_early(mail: Arrival, expected: Expected) -> bool:
    """Say whether a mail came before its instant on the calendar."""
    return mail.calendar_at is not None and mail.calendar_at < expected.due_at


def _wrong_mails(
    arrived: Iterable[tuple[Name, Arrival]], known: Mapping[Name, Expected]
) -> Iterator[str]:
    for name, mail in arrived:
        expected = known.get(name)
        if expected is None:
            yield f"unexpected: {'/'.join(name)} to {mail.to}"
            continue
        texts = texts_of(mail)
        if texts.text.rstrip("\r\n") != expected.text:
            yield f"wrong text: {texts.text!r} instead of {expected.text!r}"
        if "<script" in texts.html:
            yield f"unescaped name in HTML: {texts.html!r}"
        if _mailbox(mail.to) != _mailbox(expected.email):
            yield f"wrong address: {mail.to} instead of {expected.email}"


def _mailbox(address: str) -> tuple[str, bytes]:
    local, _, domain = address.rpartition("@")
    return unicodedata.normalize("NFC", local).casefold(), domain.encode("idna")


def _spoken(expected: Expected) -> str:
    return f"{expected.external_id} {expected.kind} in {expected.zone}, due {expected.due_at}"
