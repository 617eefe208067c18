import pytest

from tests.guard.timing import Round


@pytest.mark.parametrize(
    "measured",
    [
        pytest.param(Round(20.0, 5.0, 5.0), id="a steady machine"),
        pytest.param(Round(32.0, 8.0, 8.0), id="a slower one"),
        pytest.param(Round(26.0, 5.0, 8.0), id="one that becomes slower meanwhile"),
    ],
)
def test_a_batch_is_measured_in_fixed_work_beside_it(measured: Round) -> None:
    assert measured.ratio == pytest.approx(4.0)
