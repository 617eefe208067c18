import itertools
from collections.abc import Iterator

import prometheus_client
import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from libs.telemetry import metrics
from libs.telemetry.metrics import (
    METRICS,
    MetricDeclaredTwiceError,
    declare_counter,
    declare_gauge,
    declare_histogram,
    exposition,
    timed,
)

_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _only_for_a_test() -> Iterator[None]:
    """Take out of the catalogue what a test declares: the page of all metrics is made from it."""
    before = dict(METRICS)
    yield
    METRICS.clear()
    METRICS.update(before)


def fresh(suffix: str) -> str:
    return f"test_metric_{next(_numbers)}_{suffix}"


def lines() -> list[str]:
    return exposition()[0].decode().splitlines()


def test_a_counter_counts_by_label() -> None:
    name = fresh("total")
    counter = declare_counter(name, "Things.", {"kind": ("birthday", "anniversary")})
    counter.add(kind="birthday")
    counter.add(2, kind="birthday")
    assert f'{name}{{kind="birthday"}} 3.0' in lines()


def test_a_value_outside_of_the_closed_set_becomes_other() -> None:
    name = fresh("total")
    declare_counter(name, "Things.", {"kind": ("birthday",)}).add(kind="ada@example.org")
    assert f'{name}{{kind="other"}} 1.0' in lines()


def test_a_label_named_by_code_cannot_grow_without_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "MAX_NAMED_BY_CODE", 2)
    name = fresh("total")
    counter = declare_counter(name, "Things.", ["loop"])
    for loop in ("first", "second", "third", "fourth"):
        counter.add(loop=loop)
    assert f'{name}{{loop="other"}} 2.0' in lines()


def test_a_gauge_is_set_and_changed() -> None:
    name = fresh("rows")
    gauge = declare_gauge(name, "Rows waiting.")
    gauge.set(5)
    gauge.add(-2)
    assert f"{name} 3.0" in lines()


def test_the_time_of_a_block_is_observed_also_when_it_fails() -> None:
    name = fresh("seconds")
    histogram = declare_histogram(name, "Time taken.")
    with pytest.raises(ValueError, match="bad"), timed(histogram):
        raise ValueError("bad")
    assert f"{name}_count 1.0" in lines()


def test_many_observations_at_once_count_as_each_alone() -> None:
    one_by_one, at_once = fresh("seconds"), fresh("seconds")
    values = [-0.5, 0.0, 0.001, 0.0011, 0.5, 0.5, 10.0, 11.0]
    histogram = declare_histogram(one_by_one, "Time taken.")
    for value in values:
        histogram.observe(value)
    declare_histogram(at_once, "Time taken.").observe_all(values)
    told = [line for line in lines() if "_created" not in line]
    alone = [line.replace(one_by_one, at_once) for line in told if line.startswith(one_by_one)]
    assert alone
    assert alone == [line for line in told if line.startswith(at_once)]


@pytest.mark.parametrize("labels", [{}, {"kind": "birthday"}], ids=["alone", "by kind"])
@pytest.mark.parametrize("values", [[], [-0.5, 0.0, 0.001, 0.0011, 0.5, 0.5, 10.0, 11.0]])
def test_a_histogram_tells_what_the_clients_own_would_tell(
    labels: dict[str, str], values: list[float]
) -> None:
    name = fresh("seconds")
    ours = declare_histogram(name, "Time taken.", [*labels], buckets=(1, 2.5, 300.0, 43200.0))
    theirs = CollectorRegistry()
    parent = prometheus_client.Histogram(
        name, "Time taken.", [*labels], registry=theirs, buckets=(1, 2.5, 300.0, 43200.0)
    )
    for value in values:
        ours.observe(value, **labels)
        (parent.labels(**labels) if labels else parent).observe(value)
    told = [
        line for line in generate_latest(theirs).decode().splitlines() if "_created" not in line
    ]
    assert [line for line in lines() if name in line] == told


def test_a_metric_is_declared_once() -> None:
    name = fresh("rows")
    declare_gauge(name, "Rows.")
    with pytest.raises(MetricDeclaredTwiceError, match=name):
        declare_gauge(name, "Rows again.")


@pytest.mark.parametrize(
    ("name", "meaning"),
    [("test_things", "Things."), ("Things_total", "Things."), ("test_things_total", "")],
    ids=["counter without _total", "not snake case", "without meaning"],
)
def test_a_careless_declaration_is_refused(name: str, meaning: str) -> None:
    with pytest.raises(ValueError, match="must"):
        declare_counter(name, meaning)


def test_labels_must_be_the_declared_ones() -> None:
    gauge = declare_gauge(fresh("rows"), "Rows.", ["queue"])
    with pytest.raises(KeyError):
        gauge.set(1)
    with pytest.raises(ValueError, match="labels"):
        gauge.set(1, queue="plan", person="ada")


def test_the_catalogue_tells_every_metric() -> None:
    assert METRICS["jubilee_http_request_seconds"].kind == "histogram"


def test_the_process_itself_is_measured() -> None:
    assert any(line.startswith("process_resident_memory_bytes") for line in lines())
