"""The store finds mails by their names, counts them, and keeps them across a restart."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.demo.mail_store import Arrival, MailStore, read_ledger
from deploy.demo.witness_clock import WitnessClock, read_clock

CLOCK = WitnessClock(datetime(2027, 2, 28, tzinfo=UTC), since=1000.0, rate=60.0)
END_OF_TIME = float("inf")


def _mail(number: int, *, occurrence: str = "", accepted_s: float = 1000.0) -> Arrival:
    return Arrival(
        accepted_s=accepted_s,
        to=f"Person{number}@one.example",
        occurrence=occurrence or f"2027-02-28/{number}/birthday",
        message_id=f"{number}@jubilee.example",
    )


@pytest.mark.parametrize(
    "wanted",
    [
        pytest.param({"message_id": "<2@jubilee.example>"}, id="message id, in brackets"),
        pytest.param({"occurrence": "2027-02-28/2/birthday"}, id="occurrence"),
        pytest.param({"to": "person2@ONE.example"}, id="address, in any case"),
    ],
)
def test_mail_is_found_by_each_of_its_names(wanted: dict[str, str]) -> None:
    store = MailStore(CLOCK)
    store.put([_mail(1), _mail(2)])
    found = store.find(not_after_s=END_OF_TIME, **wanted)
    assert [(number, mail.message_id) for number, mail in found] == [(1, "2@jubilee.example")]


def test_mail_is_not_found_before_the_look_up_may_know_it() -> None:
    store = MailStore(CLOCK)
    store.put([_mail(1, accepted_s=1000.0)])
    assert store.find(not_after_s=999.0) == []


def test_second_mail_for_an_occurrence_counts_as_a_duplicate() -> None:
    store = MailStore(CLOCK)
    store.put([_mail(1), _mail(2), _mail(1)])
    stats = store.stats()
    assert (stats.count, stats.occurrences, stats.duplicates) == (3, 2, 1)


def test_minutes_are_counted_on_the_calendar() -> None:
    store = MailStore(CLOCK)
    store.put([_mail(1, accepted_s=1000.5), _mail(2, accepted_s=1001.0)])
    assert store.stats().per_minute == {"2027-02-28T00:00Z": 1, "2027-02-28T00:01Z": 1}


def test_ledger_brings_every_mail_back_after_a_restart(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    MailStore(CLOCK, ledger=ledger).put([_mail(1), _mail(2)])
    again = MailStore(CLOCK, ledger=ledger)
    again.put([_mail(3)])
    assert len(again.find(not_after_s=END_OF_TIME)) == 3
    assert [mail.message_id for mail in read_ledger(ledger)] == [
        f"{number}@jubilee.example" for number in (1, 2, 3)
    ]


def test_lean_store_keeps_occurrence_and_time() -> None:
    store = MailStore(CLOCK, lean=True)
    store.put([_mail(1, accepted_s=1234.0)])
    [(_, kept)] = store.find(occurrence="2027-02-28/1/birthday", not_after_s=END_OF_TIME)
    assert (kept.accepted_s, kept.to) == (1234.0, "")


def test_witness_clock_runs_backwards_before_its_origin() -> None:
    clock = read_clock("2027-02-28T00:00:00Z;rate=1600;since=1000")
    assert clock.calendar_at(999.0) == datetime(2027, 2, 27, 23, 33, 20, tzinfo=UTC)
    assert clock.real_at(datetime(2027, 2, 27, 23, 33, 20, tzinfo=UTC)) == 999.0


def test_witness_clock_without_a_spec_shows_real_time() -> None:
    assert read_clock(None).calendar_at(86_400.0) == datetime(1970, 1, 2, tzinfo=UTC)
