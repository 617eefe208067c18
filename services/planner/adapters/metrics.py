"""What the planner measures."""

from typing import Final

from libs.telemetry.metrics import (
    LONG_SECONDS,
    declare_counter,
    declare_gauge,
    declare_histogram,
)

PROJECTED: Final = declare_counter(
    "planner_people_projected_total", "Versions of people that were news."
)
BLOCKS_PROJECTED: Final = declare_counter(
    "planner_blocks_projected_total", "Changes of what blocks a person's mail that were news."
)
PLANNED: Final = declare_counter(
    "planner_rows_planned_total", "Plan rows made or renewed by the slices of opened days."
)
SKIPPED: Final = declare_counter(
    "planner_people_skipped_total",
    "People left out because a rule cannot judge them, by the reason.",
    {"reason": ("unknown_zone", "rule_failed")},
)
TAKEN: Final = declare_counter(
    "planner_rows_taken_total",
    "Due plan rows, by what was decided about them.",
    {
        "verdict": (
            "released",
            "stale",
            "user_removed",
            "opted_out",
            "called_off",
            "too_late",
            "paused",
        )
    },
)
RELEASE_LATENESS_SECONDS: Final = declare_histogram(
    "planner_release_lateness_seconds",
    "Calendar time from an occurrence's instant to its first release.",
    buckets=LONG_SECONDS,
)
ASKED_AGAIN: Final = declare_counter(
    "planner_releases_asked_again_total", "Releases published again for want of an answer."
)
ANSWERED: Final = declare_counter(
    "planner_answers_total",
    "Answers of the dispatcher, by type and whether they changed the plan.",
    {
        "type": ("accepted", "refused", "deferred", "unknown", "suppressed", "returned"),
        "effect": ("changed", "ignored"),
    },
)
SET_ASIDE: Final = declare_counter(
    "planner_messages_set_aside_total",
    "Messages kept for a person, by the queue they came from.",
    {"queue": ("planner.users.v1", "planner.outcomes.v1", "planner.blocks.v1")},
)
SET_ASIDE_WAITING: Final = declare_gauge(
    "planner_set_aside_waiting", "Messages that wait for a person to send them back."
)
BACKLOG: Final = declare_gauge(
    "planner_released_unanswered", "Releases without an answer, counted up to the bound."
)
FOLLOWED: Final = declare_counter(
    "planner_rows_followed_holds_total",
    "Plan rows brought back because a pause ended, or called off by a cancellation.",
)
IMBALANCE: Final = declare_gauge(
    "planner_ledger_imbalance",
    "What does not balance for more than 15 minutes: rows owed that the plan lacks, releases"
    " without an answer, days past all late limits that cannot close.",
    {"cause": ("missing", "unanswered", "unclosed")},
)
OPEN_PAUSES: Final = declare_gauge("planner_open_pauses", "Pauses that are not resumed.")
OUTBOX_AGE_SECONDS: Final = declare_gauge(
    "planner_outbox_age_seconds", "Real age of the oldest outbox row that is not published."
)
OPEN_DAYS: Final = declare_gauge("planner_open_days", "Days that projections keep current.")
HORIZON_HOURS: Final = declare_gauge(
    "planner_horizon_hours", "Calendar time until the first instant that is not planned yet."
)
PARTITIONS_AHEAD_DAYS: Final = declare_gauge(
    "planner_partitions_ahead_days", "Days from today on for which the plan has partitions."
)
