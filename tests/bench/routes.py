"""How each statement of planner and dispatcher finds its way once people are spread over shards.

A shard keeps everything of its people, and a full copy of the small tables. Arrays of people are
split by shard before they are passed; a message is split in the same way.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Route = Literal["routed", "each", "merged", "whole"]
"""routed: names its people, goes to their shards alone
each:   works off a day or a queue: every shard for itself, nothing to merge
merged: a question of an operator: asked of every shard, the answers added up or merged
whole:  reads and writes no table of people: runs wherever its small tables are"""

ROOT = Path(__file__).parents[2]

TABLES_OF_PEOPLE: Mapping[str, frozenset[str]] = {
    "planner": frozenset({"recipients", "celebrations", "plan", "blocks"}),
    "dispatcher": frozenset(
        {"contacts", "delivery_events", "greeted", "unsubscribes", "former_contacts", "blocks"}
    ),
}
_FUNCTIONS = {"owed": "celebrations"}

ROUTES: Mapping[str, Mapping[Route, str]] = {
    "planner": {
        "routed": """
            accept change_plan defer file_celebrations find_blocks insert_recipients list_kind_rows
            doubt_unrequested list_occurrences list_outrun list_recipients lock_recipients
            lock_returned lock_unanswered put_blocks remove_celebrations remove_recipients settle
            update_recipients
        """,
        "each": """
            bring_back call_off close_day count_released cut_bucket find_stretch_end
            list_celebrations_after list_next_releases list_planned_instants list_strangers
            lock_next_recipients note_doubtful move_instants plan_new plan_owed
            release_due reopen_pending take_silent
        """,
        "merged": """
            count_missing count_people count_unanswered group_people list_expired
            list_zones_in_use read_ledger read_progress
        """,
        "whole": """
            adopt_zone_data count_moved count_open_pauses count_set_aside cut_set_aside
            delete_set_aside drop_days drop_set_aside end_pause find_cancellation
            find_last_day find_open_pause find_pause
            find_unplanned_day find_window_start find_zone_data finish_hold_work finish_slice
            finish_zone_data insert_cancellation insert_pause list_audited_days list_cancellations
            list_closable_days list_days_after list_open_days list_pauses list_person_cancellations
            list_person_pauses list_set_aside list_set_aside_naming lock_days lock_days_shared
            lock_holds lock_holds_shared lock_zone_data lock_zone_data_shared mark_cut mark_planned
            mark_redriven move_filing move_hold_work note_kinds open_days put_hold_work
            put_set_aside read_by_index read_day reopen_days replan_slices take_hold_work
            take_set_aside take_slice take_uncut_day take_unfiled_kind
        """,
    },
    "dispatcher": {
        "routed": """
            change_blocks claim_requests claim_unopposed delete_unsubscribe find_blocks
            find_contact find_mailed forget_people list_first_writings list_latest_outcomes
            list_spent list_story lock_contact project_contacts put_unsubscribe record_accepted
            record_outcomes record_settlements remove_contacts rewrite_contacts
        """,
        "each": """
            drop_former_contacts list_unsettled lock_contacts_at note_doubtful raise_revisions
            record_lapsed is_any_unknown
        """,
        "merged": """
            list_mailed_at list_unknown sum_day
        """,
        "whole": """
            choose_template count_bounces count_set_aside cut_set_aside delete_set_aside
            is_any_lapsed
            delete_suppression drop_set_aside end_pauses find_chosen_text find_set_aside
            find_template forget_reports forget_signatures give_back_permits list_chosen_texts
            list_set_aside list_set_aside_naming list_suppressions list_templates lock_suppressions
            lock_texts mark_redriven pause_provider put_cancellations put_pauses put_report
            put_set_aside put_suppressions put_template read_lease_left read_pause_left
            read_texts_as_of share_suppressions take_permits take_signature
        """,
    },
}

_NAMES_PEOPLE = re.compile(
    r"person_id = \$\d|person_id = ANY \(\$\d|\$\d+::uuid\[\]"
    r"|INSERT INTO \w+ \([^)]*\bperson_id\b[^)]*\)\s+VALUES"
)
_KEPT_TOGETHER = re.compile(
    r"\w+\.person_id = \w+\.person_id|USING \([^)]*\bperson_id\b"
    r"|ON CONFLICT \([^)]*\bperson_id\b|\bUNION\b"
)
"""Joined by person, written under the person that was read, or not joined at all."""


def statements(service: str) -> dict[str, str]:
    """Return the statements of a service by name, without their comments."""
    folder = ROOT / "services" / service / "adapters" / "sql"
    return {
        path.stem: re.sub(r"--.*", "", path.read_text("utf-8")) for path in folder.glob("*.sql")
    }


def routes(service: str) -> dict[str, Route]:
    """Return the route of every classified statement."""
    return {name: route for route, names in ROUTES[service].items() for name in names.split()}


def objection(service: str, route: Route, statement: str) -> str | None:
    """Return why a statement cannot go that way; None if it can."""
    touched = _tables(statement) & TABLES_OF_PEOPLE[service]
    if route == "whole":
        return f"touches {', '.join(sorted(touched))}" if touched else None
    if not touched:
        return "touches no table of people"
    if route == "routed" and not _NAMES_PEOPLE.search(statement):
        return "does not name its people"
    is_named_throughout = len(_NAMES_PEOPLE.findall(statement)) >= len(touched)
    if len(touched) > 1 and not (is_named_throughout or _KEPT_TOGETHER.search(statement)):
        return f"joins {', '.join(sorted(touched))} other than by person"
    return None


def _tables(statement: str) -> set[str]:
    named = set(re.findall(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+([a-z_]+)", statement))
    return {_FUNCTIONS.get(name, name) for name in named}
