import msgspec
import pytest

from tests.guard.cost import Cost, Counts, Cpu
from tests.guard.verdict import Grounds, cheaper, cheapest, comparable, dearer, strangers, typical

COST = Cost(
    Counts(
        calls=100.0,
        statements=0.02,
        pages=12.0,
        rows_read=1.0,
        rows_written=3.0,
    ),
    Cpu(python=10.0, server=6.0, python_ms=3.5, server_ms=3.5),
    disk_bytes=600.0,
)
RECORDED = {"deliver": COST}
HERE = Grounds(python="3.11", postgresql="15", processor="Xeon")
EVERYTHING = comparable(HERE, HERE)


def a_cost(
    *,
    python: float = 10.0,
    server: float | None = 6.0,
    disk_bytes: float = 600.0,
    **counts: float,
) -> Cost:
    return Cost(
        msgspec.structs.replace(COST.counts, **counts),
        msgspec.structs.replace(COST.cpu, python=python, server=server),
        disk_bytes,
    )


@pytest.mark.parametrize(
    ("now", "figures"),
    [
        pytest.param(COST, [], id="the same"),
        pytest.param(a_cost(calls=109.0, pages=13.0), [], id="a little more of everything"),
        pytest.param(a_cost(statements=0.022), [], id="one statement more in a batch"),
        pytest.param(a_cost(python=13.5), [], id="CPU within a quarter"),
        pytest.param(a_cost(python=8.0, server=9.0), [], id="CPU moved to the server"),
        pytest.param(a_cost(python=14.5), ["cpu"], id="everything serialised twice"),
        pytest.param(a_cost(server=10.5), ["cpu"], id="the server at work for longer"),
        pytest.param(
            a_cost(calls=140.0, statements=1.02, pages=15.0),
            ["statements", "calls", "pages"],
            id="a query for every item",
        ),
        pytest.param(a_cost(pages=14.0, disk_bytes=800.0), ["pages", "disk_bytes"], id="an index"),
        pytest.param(a_cost(rows_read=500.0), ["rows_read"], id="a table read whole"),
        pytest.param(a_cost(rows_written=4.0), ["rows_written"], id="a row more for every item"),
        pytest.param(a_cost(server=None, python=99.0), [], id="the server out of sight"),
    ],
)
def test_only_what_is_over_what_is_allowed_is_dearer(now: Cost, figures: list[str]) -> None:
    found = dearer({"deliver": now}, RECORDED, EVERYTHING)
    assert [one.figure for one in found] == figures


def test_cpu_that_moves_with_the_load_fails_nobody() -> None:
    now = {"register": a_cost(python=99.0, calls=125.0)}
    assert [one.figure for one in dearer(now, {"register": COST}, EVERYTHING)] == ["calls"]


def test_a_finding_tells_hop_figure_and_change() -> None:
    (found,) = dearer({"deliver": a_cost(calls=125.0)}, RECORDED, EVERYTHING)
    assert str(found) == "deliver: calls 100 -> 125 (+25%)"


def test_what_is_much_cheaper_is_told_and_does_not_fail() -> None:
    now = {"deliver": a_cost(calls=70.0)}
    assert dearer(now, RECORDED, EVERYTHING) == []
    assert [one.figure for one in cheaper(now, RECORDED, EVERYTHING)] == ["calls"]


@pytest.mark.parametrize(
    ("recorded", "left_out"),
    [
        pytest.param(HERE, set(), id="the same grounds"),
        pytest.param(Grounds("3.13", "15", "Xeon"), {"calls", "cpu"}, id="another Python"),
        pytest.param(
            Grounds("3.11", "17", "Xeon"),
            {"pages", "rows_read", "rows_written", "disk_bytes", "cpu"},
            id="another PostgreSQL",
        ),
        pytest.param(Grounds("3.11", "15", "EPYC"), {"cpu"}, id="another processor"),
    ],
)
def test_figures_are_compared_where_they_mean_the_same(
    recorded: Grounds, left_out: set[str]
) -> None:
    assert set(EVERYTHING) - set(comparable(HERE, recorded)) == left_out


def test_of_two_runs_the_less_of_each_figure_counts() -> None:
    first = {"deliver": a_cost(python=14.5, calls=125.0), "relay": COST}
    second = {"deliver": a_cost(python=10.0, calls=130.0)}
    merged = cheapest(first, second)
    assert merged == {"deliver": a_cost(python=10.0, calls=125.0), "relay": COST}


def test_of_three_runs_the_middle_one_is_recorded() -> None:
    runs = [
        {"deliver": a_cost(python=cpu, calls=calls)}
        for cpu, calls in ((9, 101), (14, 99), (10, 100))
    ]
    assert typical(runs) == {"deliver": a_cost(python=10.0, calls=100.0)}


def test_what_is_dearer_in_both_runs_stays_dearer() -> None:
    now = cheapest({"deliver": a_cost(python=15.0)}, {"deliver": a_cost(python=16.0)})
    assert [one.figure for one in dearer(now, RECORDED, EVERYTHING)] == ["cpu"]


def test_a_hop_is_measured_and_recorded_or_neither() -> None:
    assert strangers({"deliver": COST, "new": COST}, RECORDED | {"old": COST}) == ["new", "old"]
