import pytest

from tests.bench.scaling import RECORDED, cost_by_role, largest_share, lines, need, newest_run

RUN = {
    "at": "2026-11-22",
    "commit": "abc",
    "cores": 2,
    "results": [
        {
            "name": "herd-postmark",
            "items": 20_000,
            "usage": {"cpu_s": {"postgresql": 2.0, "planner": 1.0, "provider stub": 9.0}},
        }
    ],
}


def test_a_role_costs_what_it_used_in_the_herd() -> None:
    assert cost_by_role(RUN) == {
        "planner": 50.0,
        "dispatcher": 0.0,
        "postgresql": 100.0,
        "rabbitmq": 0.0,
    }


def test_a_day_of_mails_takes_hours_on_average_and_cores_at_nine() -> None:
    # 100 ms per 1,000 are 100 s per million; a tenth of them within a minute is a sixth of a core.
    needed = need(100.0, 1_000_000, largest_share=0.1)
    assert needed.core_hours_a_day == pytest.approx(100 / 3600)
    assert needed.cores_at_peak == pytest.approx(100 * 0.1 / 60)


def test_the_largest_zone_has_a_share_of_everybody() -> None:
    assert 0.05 < largest_share() < 0.5


def test_what_is_recorded_can_be_reckoned_with() -> None:
    path = newest_run(RECORDED)
    assert path.name != "guard.json"
    assert "| all |" in "\n".join(lines("a run", RUN))
