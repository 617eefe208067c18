"""The dispatcher's part of the metrics catalogue."""

from libs.telemetry.metrics import (
    FAST_SECONDS,
    LONG_SECONDS,
    declare_counter,
    declare_gauge,
    declare_histogram,
)

PROVIDERS = ("smtp", "vendor", "postmark", "file")
OUTCOMES = ("accepted", "refused", "deferred", "unknown", "suppressed")

OUTCOMES_RECORDED = declare_counter(
    "dispatcher_outcomes_total",
    "Outcomes and settlements recorded, by type.",
    {"outcome": OUTCOMES},
)
REQUESTS_JUDGED = declare_counter(
    "dispatcher_requests_total",
    "Requests by what became of them at the claim.",
    {
        "verdict": (
            "claim",
            "copy",
            "held",
            "early",
            "expired",
            "contact_behind",
            "schedule_changed",
            "kind_unknown",
            "unavailable",
            "user_removed",
            "opted_out",
            "unsubscribed",
            "address_suppressed",
            "cancelled",
            "paused",
            "already_greeted",
        )
    },
)
LATENESS_SECONDS = declare_histogram(
    "dispatcher_lateness_seconds",
    "Calendar time from the due instant to the provider's acceptance.",
    buckets=LONG_SECONDS,
)
CLAIM_SECONDS = declare_histogram("dispatcher_claim_seconds", "Time one claim of a batch took.")
RECORD_SECONDS = declare_histogram(
    "dispatcher_record_seconds", "Time recording the outcomes of a batch took."
)
PROVIDER_SECONDS = declare_histogram(
    "dispatcher_provider_seconds",
    "Time the provider took for one batch.",
    {"provider": PROVIDERS},
    buckets=(*FAST_SECONDS, 30.0, 60.0),
)
PROVIDER_CALL_SECONDS = declare_histogram(
    "dispatcher_provider_call_seconds",
    "Time one HTTP request to the provider took.",
    {"provider": PROVIDERS},
    buckets=(*FAST_SECONDS, 30.0, 60.0),
)
BREAKER_IS_OPEN = declare_gauge(
    "dispatcher_breaker_is_open",
    "1 while the provider's breaker lets nothing through.",
    {"provider": PROVIDERS},
)
PROVIDER_PAUSE_SECONDS = declare_gauge(
    "dispatcher_provider_pause_seconds",
    "Real seconds for which the provider asked to be left alone, as last seen.",
    {"provider": PROVIDERS},
)
THROTTLED = declare_counter(
    "dispatcher_throttled_total",
    "Times requests in hand waited because the provider's rate was used up.",
    {"provider": PROVIDERS},
)
LATE_OUTCOMES = declare_counter(
    "dispatcher_late_outcomes_total",
    "Outcomes that came after their attempt was settled and were kept out.",
    {"outcome": OUTCOMES},
)
LAPSED_CLAIMS = declare_counter(
    "dispatcher_lapsed_claims_total", "Attempts found without outcome after their lease."
)
FAILED_LOOKUPS = declare_counter(
    "dispatcher_failed_lookups_total", "Times the provider could not say what became of a mail."
)
HOLDS_PROJECTED = declare_counter(
    "dispatcher_hold_events_total",
    "Pauses, their ends and cancellations taken in, copies included.",
)
CONTACTS_PROJECTED = declare_counter(
    "dispatcher_contact_events_total", "User events taken in, copies and old ones included."
)
REPORTS_TAKEN = declare_counter(
    "dispatcher_reports_total",
    "Bounces and complaints taken in, each once, by what their address deserved.",
    {"type": ("bounced", "complained"), "verdict": ("suppress", "count", "ignore")},
)
REPORTS_UNREADABLE = declare_counter(
    "dispatcher_unreadable_reports_total", "Files in the mailbox of reports that none could read."
)
UNSUBSCRIBES = declare_counter(
    "dispatcher_unsubscribes_total", "Kinds that people ended by the link in a mail."
)
SET_ASIDE = declare_counter(
    "dispatcher_set_aside_total",
    "Messages set aside for a person.",
    {
        "reason": (
            "malformed",
            "unknown_type",
            "refused_values",
            "rejected",
            "delivery_limit",
            "expired",
            "maxlen",
        )
    },
)
SET_ASIDE_WAITING = declare_gauge(
    "dispatcher_set_aside_waiting", "Messages that wait for a person to send them back."
)
OUTBOX_AGE_SECONDS = declare_gauge(
    "dispatcher_outbox_age_seconds", "Real age of the oldest outbox row that is not published."
)
