"""How a provider works off what is due."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.planner.domain.backlog import Arrival, Delivery, Outage, work_off
from tests.support.recipients import utc

NINE = utc("2026-06-14 09:00")
USEFUL = timedelta(hours=48)


def due(count: int, after_s: float = 0, useful: timedelta = USEFUL) -> Arrival:
    at = NINE + timedelta(seconds=after_s)
    return Arrival(at, "birthday", count, at + useful)


def worked_off(*arrivals: Arrival, limit: float | None = None, outage_s: float = 0) -> Delivery:
    outage = Outage(first_at=NINE, last_at=NINE + timedelta(seconds=outage_s)) if outage_s else None
    delivery, _ = work_off(arrivals, mails_per_s=limit, outage=outage)
    return delivery


def test_without_a_limit_everything_leaves_at_its_instant() -> None:
    done = worked_off(due(1000), due(5, after_s=60))
    assert (done.sent, done.most_late_s, done.largest_backlog) == (1005, 0.0, 0)
    assert (done.busiest_at, done.busiest) == (NINE, 1000)


def test_a_herd_waits_for_the_provider() -> None:
    done = worked_off(due(101), limit=10)
    assert (done.most_late_s, done.longest_backlog_s, done.largest_backlog) == (10.0, 10.0, 100)
    assert (done.late, done.last_sent_at) == (0, NINE + timedelta(seconds=10))


def test_a_herd_behind_a_herd_waits_for_both() -> None:
    done = worked_off(due(600), due(600, after_s=30), limit=10)
    assert done.last_sent_at == NINE + timedelta(seconds=119.9)
    assert (done.largest_backlog, done.longest_backlog_s) == (899, 119.9)
    assert done.late == 600 - (60 - 30) * 10 - 1


def test_what_is_late_by_more_than_its_limit_expires() -> None:
    done = worked_off(due(100, useful=timedelta(seconds=4)), limit=10)
    assert (done.sent, done.expired, done.most_late_s) == (41, 59, 4.0)


def test_an_outage_puts_off_what_falls_into_it() -> None:
    done = worked_off(due(10), due(7, after_s=3600), due(3, after_s=7200), outage_s=7200)
    assert (done.sent, done.late, done.most_late_s) == (20, 17, 7200.0)
    assert done.largest_backlog == 17


def test_an_outage_expires_what_is_no_longer_useful() -> None:
    done = worked_off(due(10), due(7, after_s=3600), outage_s=USEFUL.total_seconds() + 1800)
    assert (done.sent, done.expired) == (7, 10)


def test_what_has_begun_before_an_outage_goes_on_after_it() -> None:
    early = Arrival(NINE - timedelta(seconds=5), "birthday", 100, NINE + USEFUL)
    done = worked_off(early, limit=10, outage_s=60)
    assert (done.sent, done.last_sent_at) == (100, NINE + timedelta(seconds=64.9))


@given(
    st.lists(
        st.tuples(st.integers(0, 300), st.integers(1, 80)), max_size=8, unique_by=lambda t: t[0]
    ),
    st.sampled_from([None, 0.5, 1, 4, 20]),
    st.sampled_from([0, 1, 60, 200]),
    st.sampled_from([timedelta(seconds=30), timedelta(seconds=120), USEFUL]),
)
def test_it_agrees_with_sending_one_by_one(
    given_: list[tuple[int, int]], limit: float | None, outage_s: int, useful: timedelta
) -> None:
    arrivals = [due(count, after_s=at, useful=useful) for at, count in given_]
    done = worked_off(*arrivals, limit=limit, outage_s=outage_s)
    left = _one_by_one(arrivals, limit=limit, outage_end=NINE + timedelta(seconds=outage_s))
    assert done.sent == len(left)
    assert done.expired == sum(one.count for one in arrivals) - len(left)
    assert done.most_late_s == pytest.approx(max((late for _, late in left), default=0.0))
    assert done.late == sum(late > 60.000001 for _, late in left)


def _one_by_one(
    arrivals: list[Arrival], *, limit: float | None, outage_end: datetime
) -> list[tuple[datetime, float]]:
    """Send each mail on its own; return when each left and how late."""
    left: list[tuple[datetime, float]] = []
    free_at = NINE
    gap = timedelta(0) if limit is None else timedelta(seconds=1 / limit)
    for arrival in sorted(arrivals):
        for _ in range(arrival.count):
            at = max(arrival.due_at, free_at, outage_end)
            if at <= arrival.expires_at:
                left.append((at, (at - arrival.due_at).total_seconds()))
                free_at = at + gap
    return left
