"""The verdict overlooks nothing: each way of being wrong is a sentence."""

from datetime import UTC, date, datetime, timedelta

import msgspec
import pytest

from deploy.demo.mail_store import Arrival
from deploy.demo.people import Expected
from deploy.demo.verdict import Name, Verdict, balance_faults, judge, ledger_line

DUE = datetime(2027, 2, 28, 2, tzinfo=UTC)
NAME = Name("2027-02-28", "0192", "birthday")
EXPECTED = Expected(
    external_id="demo-1",
    email="zoë@bücher.example",
    kind="birthday",
    local_day=date(2027, 2, 28),
    due_at=DUE,
    zone="Asia/Jakarta",
    text="Hey, Zoë <b> it's your birthday",
)
MAIL = Arrival(
    accepted_s=1.0,
    to="zoë@xn--bcher-kva.example",
    occurrence="2027-02-28/0192/birthday",
    calendar_at=DUE,
    text="Hey, Zoë <b> it's your birthday",
)
ACCOUNT = {
    "owed": 2, "accepted": 2, "failed": 0, "suppressed": 0, "expired": 0, "cancelled": 0,
    "unknown": 0, "pending": 0,
}  # fmt: skip


def _judged(*arrivals: Arrival) -> Verdict:
    return judge(arrivals, must={NAME: EXPECTED}, may={})


def test_right_mail_at_its_instant_is_no_fault() -> None:
    assert _judged(MAIL) == Verdict(duplicates=0, early=0, faults=())


@pytest.mark.parametrize(
    ("arrivals", "fault"),
    [
        pytest.param([], "missing", id="missing"),
        pytest.param([MAIL, MAIL], "sent 2 times", id="twice"),
        pytest.param(
            [msgspec.structs.replace(MAIL, calendar_at=DUE - timedelta(microseconds=1))],
            "before its instant",
            id="early by a microsecond",
        ),
        pytest.param(
            [MAIL, msgspec.structs.replace(MAIL, occurrence="2027-02-28/0193/birthday")],
            "unexpected",
            id="somebody else's",
        ),
        pytest.param(
            [msgspec.structs.replace(MAIL, text="Hey, Zoë &lt;b&gt; it's your birthday")],
            "wrong text",
            id="text escaped as if it were HTML",
        ),
        pytest.param(
            [msgspec.structs.replace(MAIL, to="zoe@bücher.example")], "wrong address", id="address"
        ),
    ],
)
def test_wrong_mail_is_named(arrivals: list[Arrival], fault: str) -> None:
    faults = _judged(*arrivals).faults
    assert len(faults) == 1
    assert faults[0].startswith(fault)


def test_mail_that_may_be_there_need_not_be() -> None:
    assert judge([], must={}, may={NAME: EXPECTED}).faults == ()
    assert judge([MAIL], must={}, may={NAME: EXPECTED}).faults == ()


def test_balanced_account_has_no_fault() -> None:
    assert balance_faults(ACCOUNT, owed=2) == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"pending": 1}, id="sum differs"),
        pytest.param({"accepted": 1, "unknown": 1}, id="not all accepted"),
        pytest.param({"owed": 3, "accepted": 3}, id="more than expected"),
    ],
)
def test_unbalanced_account_is_a_fault(wrong: dict[str, int]) -> None:
    assert balance_faults(ACCOUNT | wrong, owed=2)


def test_last_line_names_every_word() -> None:
    line = ledger_line(ACCOUNT, Verdict(duplicates=0, early=0, faults=()))
    assert line == (
        "ledger: owed=2 accepted=2 failed=0 suppressed=0 expired=0 cancelled=0 unknown=0 "
        "pending=0 duplicates=0 early=0"
    )
