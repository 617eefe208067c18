"""Which round is told, and in which order rounds are made."""

from tests.bench.__main__ import schedule
from tests.bench.entries import IN_TURNS
from tests.bench.rounds import median_round


def test_the_round_in_the_middle_is_told_whole_beside_what_the_others_came_to() -> None:
    costs = [180.0, 260.0, 150.0]
    rounds = [
        {"what": "herd", "cpu_ms_per_1000": cost, "per_s": 1, "ledger": {"accepted": number}}
        for number, cost in enumerate(costs)
    ]
    assert median_round(rounds) == {
        "what": "herd",
        "cpu_ms_per_1000": 180.0,
        "per_s": 1,
        "ledger": {"accepted": 0},
        "rounds": [{"per_s": 1, "cpu_ms_per_1000": cost} for cost in costs],
    }


def test_without_cpu_the_rate_decides_and_of_two_the_slower_is_told() -> None:
    assert median_round([{"per_s": 9}, {"per_s": 5}, {"per_s": 7}])["per_s"] == 7
    assert median_round([{"per_s": 9}, {"per_s": 5}])["per_s"] == 5


def test_a_single_round_stands_for_itself() -> None:
    assert median_round([{"per_s": 9}]) == {"per_s": 9}


def test_what_is_compared_is_measured_in_turns() -> None:
    async def measure() -> dict[str, object]:
        return {}

    first, second, *_ = IN_TURNS[0]
    chosen = dict.fromkeys(["relay", first, second, "lag"], measure)
    turns = [first, second, first, second]
    assert list(schedule(chosen, 2)) == [["relay"], turns, ["lag"]]
    alone = dict.fromkeys(["relay", first], measure)
    assert list(schedule(alone, 2)) == [["relay"], [first]]
