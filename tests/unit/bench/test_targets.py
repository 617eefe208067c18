from typing import Any

import msgspec
import pytest

from tests.bench.report import lines
from tests.bench.targets import Figure, Target, judge

HERD = {"per_s": 12_000, "cpu_ms_per_1000": 90.0, "items": 1, "what": "herd"}
RESULTS: dict[str, dict[str, Any]] = {
    "herd": HERD,
    "rival-a": {"per_s": 500},
    "rival-b": {"per_s": 1_000},
}


def a_target(**fields: Any) -> Target:
    target = Target(stage="herd", figure=Figure("herd"), unit="mails/s")
    return msgspec.structs.replace(target, **fields)


@pytest.mark.parametrize(
    ("target", "of_limit", "verdict"),
    [
        pytest.param(a_target(at_least=10_000), 1.2, "pass", id="fast enough"),
        pytest.param(a_target(at_least=16_000), 0.75, "miss", id="too slow"),
        pytest.param(
            a_target(at_most=108, figure=Figure("herd", "cpu_ms_per_1000")), 1.2, "pass", id="cheap"
        ),
        pytest.param(
            a_target(at_most=45, figure=Figure("herd", "cpu_ms_per_1000")), 0.5, "miss", id="dear"
        ),
        pytest.param(
            a_target(at_least=12, over=Figure("rival-*")), 1.0, "pass", id="over the best rival"
        ),
        pytest.param(
            a_target(at_least=1, figure=Figure("absent")), None, "not measured", id="absent"
        ),
        pytest.param(
            a_target(at_least=1, over=Figure("absent")), None, "not measured", id="nothing to beat"
        ),
    ],
)
def test_a_target_is_judged(target: Target, of_limit: float | None, verdict: str) -> None:
    judged = judge(target, RESULTS)
    assert (judged.of_limit, judged.verdict) == (
        of_limit if of_limit is None else pytest.approx(of_limit),
        verdict,
    )


def test_a_whole_run_tells_what_it_did_not_measure() -> None:
    printed = "\n".join(lines([{"name": "herd", **HERD}], is_whole=True))
    assert "not measured" in printed


def test_a_part_of_a_run_keeps_to_what_it_measured() -> None:
    printed = "\n".join(lines([{"name": "herd-postmark", **HERD}], is_whole=False))
    assert "herd, batch provider" in printed
    assert "not measured" not in printed
