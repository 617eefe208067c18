"""What is known of how far a replica has come."""

import math

from libs.postgres.replica import MARKS_MAX, Progress


def test_nothing_is_known_before_a_mark_is_reached() -> None:
    progress = Progress()
    progress.reach(1000)
    assert progress.caught_up_s == -math.inf
    progress.mark(2000, at_s=1.0)
    progress.reach(1999)
    assert progress.caught_up_s == -math.inf


def test_a_mark_reached_tells_its_time() -> None:
    progress = Progress()
    for at_s, position in ((1.0, 100), (2.0, 200), (3.0, 300)):
        progress.mark(position, at_s=at_s)
    progress.reach(299)
    assert progress.caught_up_s == 2.0
    progress.reach(300)
    assert progress.caught_up_s == 3.0


def test_an_idle_primary_is_no_lag() -> None:
    progress = Progress()
    for at_s in (1.0, 2.0, 3.0):
        progress.mark(100, at_s=at_s)
        progress.reach(100)
    assert progress.caught_up_s == 3.0


def test_a_replay_that_stands_still_is_lag_as_soon_as_there_is_something_to_replay() -> None:
    progress = Progress()
    for at_s, position in ((1.0, 100), (2.0, 100), (3.0, 101), (4.0, 101)):
        progress.mark(position, at_s=at_s)
        progress.reach(100)
    assert progress.caught_up_s == 2.0


def test_a_long_lag_forgets_marks_but_never_tells_too_much() -> None:
    progress = Progress()
    for second in range(10 * MARKS_MAX):
        progress.mark(second, at_s=float(second))
    progress.reach(700)
    assert 0 <= progress.caught_up_s <= 700
    progress.reach(10 * MARKS_MAX)
    assert progress.caught_up_s <= 10 * MARKS_MAX - 1
