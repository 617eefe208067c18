"""Ordered faults happen as often as ordered, and then no more."""

import msgspec
import pytest

from deploy.demo.faults import FaultBox, Faults


def test_counted_fault_happens_as_often_as_ordered() -> None:
    box = FaultBox(Faults(error_after_accept=2))
    assert [box.after() for _ in range(3)] == ["error", "error", "answer"]


def test_negative_count_lasts_until_it_is_set_again() -> None:
    box = FaultBox(Faults(throttle_next=-1))
    assert {box.before() for _ in range(20)} == {"throttle"}
    box.order(b'{"throttle_next": 0}')
    assert box.before() == "take"


def test_order_leaves_the_faults_it_does_not_name() -> None:
    box = FaultBox(Faults(hang_after_accept=3))
    assert box.order(b'{"refuse_next": 1}') == Faults(hang_after_accept=3, refuse_next=1)


def test_unavailability_counts_from_the_order() -> None:
    box = FaultBox(Faults())
    box.order(b'{"unavailable_for_s": 60}')
    assert box.before() == "unavailable"
    box.order(b'{"unavailable_for_s": 0}')
    assert box.before() == "take"


@pytest.mark.parametrize("order", [b'{"explode": 1}', b'{"vendor_failures": 2}', b"[]"])
def test_unknown_or_impossible_faults_are_refused(order: bytes) -> None:
    box = FaultBox(Faults())
    with pytest.raises(msgspec.ValidationError):
        box.order(order)
    assert box.faults == Faults()


def test_named_address_is_always_refused() -> None:
    box = FaultBox(Faults(refuse_to=("gone@one.example",)))
    assert [box.refuses("gone@one.example"), box.refuses("here@one.example")] == [True, False]


def test_same_seed_fails_the_same_requests() -> None:
    one, two = (FaultBox(Faults(vendor_failures=0.3), seed=7) for _ in range(2))
    failures = [one.vendor_failure() for _ in range(200)]
    assert failures == [two.vendor_failure() for _ in range(200)]
    assert 30 < sum(status is not None for status in failures) < 90
