"""Timetable, progress and screen agree on where 09:00 is."""

import io
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from deploy.demo.mail_store import Arrival, MailStore
from deploy.demo.people import Expected
from deploy.demo.progress import Progress, band_of, nine_at
from deploy.demo.screen import Frame, Screen, drawn, spoken
from deploy.demo.timetable import FIRST_NINE, LAST_NINE, Timetable
from deploy.demo.verdict import Name
from deploy.demo.witness_clock import WitnessClock, read_clock


def _expected(due_at: datetime) -> Expected:
    return Expected(
        external_id="demo-1",
        email="ada@one.example",
        kind="birthday",
        local_day=date(2027, 2, 28),
        due_at=due_at,
        zone="",
        text="",
    )


def _frame(now: datetime) -> Frame:
    return Frame(
        now=now,
        rate=1600.0,
        inbox_url="http://127.0.0.1:8025/",
        bands={14: (3, 3), 7: (1, 2)},
        account={"owed": 5, "accepted": 4, "pending": 1},
        duplicates=0,
        early=0,
        lateness=None,
    )


def test_world_day_lasts_26_hours() -> None:
    assert FIRST_NINE + timedelta(hours=26) == LAST_NINE


@pytest.mark.parametrize("rate", [60.0, 1600.0, 6000.0])
def test_calendar_never_runs_back_behind_the_import(rate: float) -> None:
    timetable = Timetable(rate)
    clock = read_clock(timetable.running_clock(now_s=1000.0))
    assert timetable.frozen_at < clock.calendar_at(1000.0) < FIRST_NINE


def test_calendar_shows_the_hour_before_the_first_nine_when_the_processes_are_up() -> None:
    clock = read_clock(Timetable(1600.0).running_clock(now_s=1000.0))
    assert clock.calendar_at(1010.0) == FIRST_NINE - timedelta(hours=1)


@pytest.mark.parametrize(
    ("due_at", "band"),
    [
        pytest.param(datetime(2027, 2, 27, 19, tzinfo=UTC), 14, id="Kiritimati"),
        pytest.param(datetime(2027, 2, 28, 3, 15, tzinfo=UTC), 5, id="Nepal, +05:45"),
        pytest.param(datetime(2027, 2, 28, 12, 30, tzinfo=UTC), -4, id="Newfoundland, -03:30"),
        pytest.param(datetime(2027, 2, 28, 21, tzinfo=UTC), -12, id="UTC-12"),
    ],
)
def test_mail_belongs_to_the_band_of_its_nine(due_at: datetime, band: int) -> None:
    assert band_of(_expected(due_at)) == band
    assert nine_at(due_at) // timedelta(hours=1) == band


def test_progress_counts_each_mail_once_by_band(tmp_path: Path) -> None:
    due_at = datetime(2027, 2, 28, 2, tzinfo=UTC)
    ledger = tmp_path / "inbox.jsonl"
    progress = Progress(ledger, {Name("2027-02-28", "1", "birthday"): _expected(due_at)}, rate=60)
    store = MailStore(WitnessClock(due_at, since=0.0, rate=60.0), ledger=ledger)
    mail = Arrival(accepted_s=0.5, to="", occurrence="2027-02-28/1/birthday")
    store.put([mail])
    assert progress.follow() == 1
    store.put([mail])
    assert (progress.follow(), progress.follow()) == (1, 0)
    assert (progress.arrived[7], progress.owed[7], progress.duplicates) == (1, 1, 1)
    lateness = progress.lateness()
    assert lateness is not None
    assert lateness.highest_ms == pytest.approx(500.0)


def test_screen_marks_the_band_where_it_is_nine() -> None:
    lines = drawn(_frame(datetime(2027, 2, 28, 1, 20, tzinfo=UTC)), [])
    assert "it is 09:00 at UTC+07:40" in lines[1]
    [marked] = [line for line in lines if "▶" in line]
    assert "+08" in marked.split("▶")[1][:16]


def test_plain_lines_are_printed_where_there_is_no_terminal() -> None:
    out = io.StringIO()
    screen = Screen(out)
    screen.show(_frame(datetime(2027, 2, 28, 1, 20, tzinfo=UTC)))
    assert "\x1b" not in out.getvalue()
    assert "in the inbox 4 of 5" in out.getvalue()


def test_frame_tells_when_nine_is_nowhere() -> None:
    assert "nowhere yet" in spoken(_frame(FIRST_NINE - timedelta(minutes=1)))
    assert "everywhere" in spoken(_frame(LAST_NINE + timedelta(minutes=1)))
