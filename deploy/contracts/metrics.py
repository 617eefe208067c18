"""The page of all metrics, from the catalogue that the code declares."""

from libs.runtime import loops as _loops
from libs.telemetry.metrics import METRICS, Metric
from services.dispatcher.adapters import metrics as _dispatcher
from services.planner.adapters import metrics as _planner
from services.user.adapters import metrics as _user

# Declared by being imported; importing the OpenAPI of every service brings in the HTTP edge's.
DECLARING = (_loops, _dispatcher, _planner, _user)

_HEAD = """\
# Metrics

Every process answers `/metrics` with its own, beside the usual ones of a process. Labels are small
closed sets, never ids; instants are the calendar's, durations real seconds.

| metric | kind | labels | meaning |
|---|---|---|---|
"""


def metrics_page() -> str:
    """Return the page, one line a metric, by name."""
    return _HEAD + "".join(_line(METRICS[name]) for name in sorted(METRICS))


def _line(metric: Metric) -> str:
    labels = "; ".join(
        f"{name}: {', '.join(values)}" if values else name for name, values in metric.labels.items()
    )
    return f"| `{metric.name}` | {metric.kind} | {labels} | {metric.meaning} |\n"
