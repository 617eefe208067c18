"""The day's account and the fleet's names are whole."""

from typing import get_args

from deploy.demo.apis import WORD_OF_STATE, LedgerRow, account_of
from deploy.demo.fleet import FLEET
from deploy.demo.kills import KILLS
from services.planner.domain.state import State


def test_every_state_of_the_plan_has_its_word() -> None:
    assert set(WORD_OF_STATE) == set(get_args(State))


def test_account_owes_the_sum_of_all_rows() -> None:
    rows = [
        LedgerRow("birthday", "accepted", 3),
        LedgerRow("birthday", "refused", 1, "mailbox_unknown"),
        LedgerRow("anniversary", "deferred", 2, "unavailable"),
        LedgerRow("anniversary", "waiting", 4),
    ]
    account = account_of(rows)
    assert account == {
        "owed": 10, "accepted": 3, "failed": 1, "suppressed": 0, "expired": 0, "cancelled": 0,
        "unknown": 0, "pending": 6,
    }  # fmt: skip


def test_only_processes_of_the_fleet_are_killed_and_within_the_day() -> None:
    assert {name for _, name in KILLS} <= {part.name for part in FLEET}
    assert all(0 < hours < 26 for hours, _ in KILLS)
