import pytest

from tests.bench.guard import Cost, cheapest, dearer, ratio

RECORDED = {"relay": Cost(20.0, 0.2), "herd": Cost(300.0, 0.2)}


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        pytest.param(Cost(20.0, 0.2), 1.0, id="the same"),
        pytest.param(Cost(40.0, 0.4), 1.0, id="a machine half as fast"),
        pytest.param(Cost(10.0, 0.1), 1.0, id="a machine twice as fast"),
        pytest.param(Cost(26.0, 0.2), 1.3, id="dearer code"),
    ],
)
def test_cost_is_compared_in_reference_loops(measured: Cost, expected: float) -> None:
    assert ratio(measured, RECORDED["relay"]) == pytest.approx(expected)


def test_only_what_is_over_a_quarter_dearer_is_refused() -> None:
    measured = {"relay": Cost(26.0, 0.2), "herd": Cost(370.0, 0.2)}
    assert dearer(measured, RECORDED) == ["relay"]


def test_what_is_not_recorded_yet_is_not_refused() -> None:
    assert dearer({"new": Cost(99.0, 0.2)}, RECORDED) == []


def test_the_cheapest_run_counts_whatever_the_machine_did() -> None:
    assert cheapest([Cost(30.0, 0.2), Cost(44.0, 0.4), Cost(25.0, 0.2)]) == Cost(44.0, 0.4)
