"""What this service counts beyond what every process does."""

from typing import Final

from contracts.user_events import (
    USER_CHANGED,
    USER_DELETED,
    USER_ERASED,
    USER_REGISTERED,
    USER_RESTORED,
)
from libs.telemetry.metrics import declare_counter, declare_gauge

EVENTS_APPENDED: Final = declare_counter(
    "user_events_appended_total",
    "Events appended to the streams of people.",
    {"type": (USER_REGISTERED, USER_CHANGED, USER_DELETED, USER_RESTORED, USER_ERASED)},
)
ANSWERS_REPLAYED: Final = declare_counter(
    "user_answers_replayed_total",
    "Writes answered again from their idempotency key.",
)
IMPORT_LINES: Final = declare_counter(
    "user_import_lines_total",
    "Lines of imports by what became of them.",
    {"status": ("created", "unchanged", "exists", "failed", "valid")},
)
RELAYED_ROWS: Final = declare_counter(
    "user_relayed_rows_total", "Outbox rows published and confirmed."
)
OUTBOX_AGE_S: Final = declare_gauge(
    "user_outbox_age_seconds",
    "Real time the oldest unpublished outbox row has waited.",
)
