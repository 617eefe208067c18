import re
from typing import Any

from tests.bench.growth_chart import draw


def a_point(**fields: Any) -> dict[str, Any]:
    usage = {"wall_s": 1.0, "cpu_s": {"postgresql": 0.2, "dispatcher": 0.1, "planner": 0.05}}
    return {"items": 1_000, "cpu_ms_per_1000": 350.0, "usage": usage} | fields


def test_every_point_is_drawn_with_its_cost_and_size() -> None:
    picture = draw(
        {
            "by_mails": [a_point(mails=10_000), a_point(mails=300_000, cpu_ms_per_1000=361.0)],
            "by_history": [a_point(history_rows=0), a_point(history_rows=100_000_000)],
        }
    )
    words = re.findall(r">([^<]+)</text>", picture)
    assert words.count("350 ms") == 3
    assert {"361 ms", "10 k", "300 k", "0", "100 M"} <= set(words)


def test_a_run_that_has_only_begun_can_be_drawn() -> None:
    assert draw({"by_mails": [a_point(mails=10_000)], "by_history": []}).count("350 ms") == 1
