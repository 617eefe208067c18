"""Calendar time: never ahead of the server's, virtual where asked."""

from datetime import UTC, datetime, timedelta

import pytest

from libs import clock
from libs.clock import ClockSpecError, SystemClock, parse_clock

START = datetime(2026, 6, 14, 18, 30, tzinfo=UTC)


def test_a_virtual_clock_shows_its_start_at_its_instant_and_runs_at_its_rate() -> None:
    virtual = parse_clock("2026-06-14T18:30:00Z;rate=600;since=1000", env="development")
    real = datetime.fromtimestamp(1002, UTC)
    assert virtual.at(real) == START + timedelta(seconds=1200)
    assert virtual.at(datetime.fromtimestamp(999, UTC)) == START - timedelta(seconds=600)


def test_rate_zero_freezes_the_clock() -> None:
    virtual = parse_clock("2026-06-14T18:30:00Z;rate=0", env="development")
    assert virtual.at(datetime.fromtimestamp(5, UTC)) == START


@pytest.mark.parametrize(
    "spec",
    [
        "yesterday",
        "2026-06-14T18:30:00",
        "2026-06-14T18:30:00Z;rate=2",
        "2026-06-14T18:30:00Z;rate=-1;since=1",
        "2026-06-14T18:30:00Z;speed=2",
        "2026-06-14T18:30:00Z;rate=fast",
    ],
)
def test_a_malformed_clock_is_refused(spec: str) -> None:
    with pytest.raises(ClockSpecError, match="JUBILEE_CLOCK"):
        parse_clock(spec, env="development")


def test_a_virtual_clock_is_refused_in_production() -> None:
    with pytest.raises(ClockSpecError, match="production"):
        parse_clock("2026-06-14T18:30:00Z;rate=0", env="production")


@pytest.mark.edge_case("EC-W-008")
def test_now_never_runs_ahead_of_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    server = clock.monotonic_s() + 1_000_000.0
    offset = server - clock.monotonic_s()
    observed = SystemClock()
    for round_trip_s in (0.5, 0.002, 3.0):
        asked_at_s = clock.monotonic_s()
        read = datetime.fromtimestamp(asked_at_s + offset, UTC)
        observed.observe(read, asked_at_s=asked_at_s, answered_at_s=asked_at_s + round_trip_s)
    monkeypatch.setattr(clock, "monotonic_s", lambda: asked_at_s + 3.0)
    true_now = datetime.fromtimestamp(asked_at_s + 3.0 + offset, UTC)
    assert timedelta(0) <= true_now - observed.now() < timedelta(milliseconds=10)


def test_a_server_clock_that_is_set_back_is_followed_at_the_next_look() -> None:
    observed = SystemClock()
    asked_s = clock.monotonic_s()
    before = datetime.fromtimestamp(1_000_000.0 + asked_s, UTC)
    for server_time in (before, before - timedelta(hours=1)):
        observed.observe(server_time, asked_at_s=asked_s, answered_at_s=asked_s + 0.001)
    assert observed.now() < before - timedelta(minutes=59)


def test_a_slow_answer_does_not_make_a_good_sample_forgotten() -> None:
    observed = SystemClock()
    asked_s = clock.monotonic_s()
    server_time = datetime.fromtimestamp(1_000_000.0 + asked_s, UTC)
    observed.observe(server_time, asked_at_s=asked_s, answered_at_s=asked_s)
    observed.observe(server_time, asked_at_s=asked_s, answered_at_s=asked_s + 2.0)
    assert observed.now() >= server_time
