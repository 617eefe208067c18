"""The catalogue of metrics: each declared once, with its meaning and closed sets of labels."""

import re
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate
from math import inf
from typing import Final, Generic, TypeVar

import msgspec
import prometheus_client
from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from libs.clock import monotonic_s

FAST_SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for what a caller waits for."""
LONG_SECONDS: Final = (0.01, 0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0, 300.0, 1800.0, 7200.0, 43200.0)
"""Buckets for lateness and for whole passes."""
OTHER: Final = "other"
"""Stands in for a label value outside of its closed set."""
MAX_NAMED_BY_CODE: Final = 200
"""Values of a label whose set is fixed by code; more of them would be a leak of ids."""

Labels = Sequence[str] | Mapping[str, Sequence[str]]
"""Names alone (values fixed by code, such as loop names), or names with all their values."""

Child = TypeVar("Child")

_TEXT_FORMAT: Final = "text/plain; version=0.0.4; charset=utf-8"
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")


class Metric(msgspec.Struct, frozen=True):
    """One line of the catalogue. Empty label values mean: fixed by code."""

    name: str
    kind: str
    meaning: str
    labels: dict[str, tuple[str, ...]]


class MetricDeclaredTwiceError(Exception):
    """Two places own the same metric name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"the metric {name} is declared twice")
        self.name = name


REGISTRY: Final = CollectorRegistry(auto_describe=False)
METRICS: Final[dict[str, Metric]] = {}
"""Every metric this process declares, by name."""

ProcessCollector(registry=REGISTRY)


class _Family(Generic[Child]):
    """A metric with its children by label values, so that a hot path finds them by one look-up."""

    def __init__(self, metric: Metric, child_of: Callable[[tuple[str, ...]], Child]) -> None:
        self._metric = metric
        self._names = tuple(metric.labels)
        self._child_of = child_of
        self._children: dict[tuple[str, ...], Child] = {}

    def _child(self, labels: Mapping[str, str]) -> Child:
        key = tuple([labels[name] for name in self._names])
        if len(labels) != len(key):
            raise ValueError(f"{self._metric.name} has the labels {self._names}")
        child = self._children.get(key)
        return child if child is not None else self._new_child(key)

    def _new_child(self, key: tuple[str, ...]) -> Child:
        child = self._child_of(tuple(map(self._closed, self._names, key)))
        if len(self._children) < MAX_NAMED_BY_CODE:
            self._children[key] = child
        return child

    def _closed(self, name: str, value: str) -> str:
        allowed = self._metric.labels[name]
        if not allowed:
            return value if len(self._children) < MAX_NAMED_BY_CODE else OTHER
        return value if value in allowed else OTHER


class Counter(_Family[prometheus_client.Counter]):
    """Counts what has happened since the process started."""

    def add(self, amount: float = 1, **labels: str) -> None:
        """Count ``amount`` more."""
        self._child(labels).inc(amount)


class Gauge(_Family[prometheus_client.Gauge]):
    """Tells how much there is now."""

    def set(self, value: float, **labels: str) -> None:
        """Replace the value."""
        self._child(labels).set(value)

    def add(self, amount: float, **labels: str) -> None:
        """Change the value by ``amount``, which may be negative."""
        self._child(labels).inc(amount)


class Histogram(_Family["_Observed"]):
    """Counts observations by size. One thread observes, that of the event loop."""

    def observe(self, value: float, **labels: str) -> None:
        """Count one observation."""
        self._child(labels).add((value,))

    def observe_all(self, values: Iterable[float], **labels: str) -> None:
        """Count many observations at once."""
        self._child(labels).add(values)


class _Observed:
    """How many observations fell between which bounds, and their sum.

    The client's own histogram walks all buckets and takes two locks for each observation.
    """

    __slots__ = ("_bounds", "_counts", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, values: Iterable[float]) -> None:
        bounds, counts = self._bounds, self._counts
        for value in values:
            counts[bisect_left(bounds, value)] += 1
            self._sum += value

    def tell(self, family: HistogramMetricFamily, labels: Sequence[str]) -> None:
        names = ["+Inf" if bound == inf else str(bound) for bound in (*self._bounds, inf)]
        counts = map(float, accumulate(self._counts))
        family.add_metric(labels, list(zip(names, counts, strict=True)), self._sum)


class _Histograms(Collector):
    """One histogram by label values, as the registry asks for it."""

    def __init__(self, metric: Metric, bounds: Sequence[float]) -> None:
        self._metric = metric
        self._bounds = tuple(map(float, bounds))
        self._by_labels: dict[tuple[str, ...], _Observed] = {}

    def child_of(self, labels: tuple[str, ...]) -> _Observed:
        return self._by_labels.setdefault(labels, _Observed(self._bounds))

    def collect(self) -> Iterator[HistogramMetricFamily]:
        metric = self._metric
        family = HistogramMetricFamily(metric.name, metric.meaning, labels=[*metric.labels])
        for labels, observed in self._by_labels.items():
            observed.tell(family, labels)
        yield family


def declare_counter(name: str, meaning: str, labels: Labels = ()) -> Counter:
    """Return a new counter; its name ends in ``_total``."""
    if not name.endswith("_total"):
        raise ValueError(f"the counter {name} must end in _total")
    metric = _declare(name, "counter", meaning, labels)
    parent = prometheus_client.Counter(name, meaning, [*metric.labels], registry=REGISTRY)
    return Counter(metric, lambda given: parent.labels(*given) if given else parent)


def declare_gauge(name: str, meaning: str, labels: Labels = ()) -> Gauge:
    """Return a new gauge; its name ends in the unit, if it has one."""
    metric = _declare(name, "gauge", meaning, labels)
    parent = prometheus_client.Gauge(name, meaning, [*metric.labels], registry=REGISTRY)
    return Gauge(metric, lambda given: parent.labels(*given) if given else parent)


def declare_histogram(
    name: str, meaning: str, labels: Labels = (), *, buckets: Sequence[float] = FAST_SECONDS
) -> Histogram:
    """Return a new histogram; its name ends in the unit."""
    metric = _declare(name, "histogram", meaning, labels)
    parent = _Histograms(metric, buckets)
    REGISTRY.register(parent)
    if not metric.labels:
        parent.child_of(())  # tells of nothing from the start, as counters and gauges do
    return Histogram(metric, parent.child_of)


@contextmanager
def timed(histogram: Histogram, **labels: str) -> Iterator[None]:
    """Observe the real seconds the block takes, also when it fails."""
    started_s = monotonic_s()
    try:
        yield
    finally:
        histogram.observe(monotonic_s() - started_s, **labels)


def exposition() -> tuple[bytes, str]:
    """Return all metrics in the text format, and its content type."""
    return generate_latest(REGISTRY), _TEXT_FORMAT


def _declare(name: str, kind: str, meaning: str, labels: Labels) -> Metric:
    if not _NAME.fullmatch(name) or not meaning:
        raise ValueError(f"{name!r} must be snake_case of several words and have a meaning")
    if name in METRICS:
        raise MetricDeclaredTwiceError(name)
    values = labels if isinstance(labels, Mapping) else dict.fromkeys(labels, ())
    metric = Metric(name, kind, meaning, {k: tuple(v) for k, v in values.items()})
    METRICS[name] = metric
    return metric


LOOP_STEP_SECONDS: Final = declare_histogram(
    "jubilee_loop_step_seconds", "Time one step of a loop took.", ["loop"]
)
LOOP_FAILURES: Final = declare_counter(
    "jubilee_loop_failures_total", "Steps of a loop that ended in an error.", ["loop"]
)
HTTP_SECONDS: Final = declare_histogram(
    "jubilee_http_request_seconds",
    "Time from a request's head to the end of its answer.",
    {
        "method": ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
        "route": (),
        "status": ("1xx", "2xx", "3xx", "4xx", "5xx", "gone"),
    },
)
HTTP_UNDER_WAY: Final = declare_gauge(
    "jubilee_http_requests_under_way", "Requests that have no complete answer yet."
)
