"""The rules about what operators hold back, and what a held row becomes when it comes back."""

from typing import Any

import pytest

from contracts.kinds import KINDS
from libs.ids import new_id
from services.planner.domain.decision import decide
from services.planner.domain.explanation import choose_day
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.holds import Cancellation, Hold, Pause
from services.planner.domain.planned import Change, Planned, decide_anew
from services.planner.domain.state import State
from services.planner.domain.suggestion import suggest
from tests.support.recipients import a_recipient, day, utc

BIRTHDAY = KINDS["birthday"]
TODAY = day("2026-06-14")
NOW = utc("2026-06-14 06:00")
ADA = a_recipient(birthday="1990-06-14")


def a_pause(**scope: Any) -> Pause:
    given = {"person_id": None, "kind": None} | scope
    return Pause(pause_id=new_id(), reason=None, paused_at=NOW, paused_by="tests", **given)


def a_cancellation(**scope: Any) -> Cancellation:
    given = {"person_id": None, "kind": None, "first_day": TODAY, "last_day": TODAY} | scope
    return Cancellation(
        cancellation_id=new_id(), reason=None, cancelled_at=NOW, cancelled_by="tests", **given
    )


def a_row(state: State, reason: str | None = None) -> PlannedDay:
    return PlannedDay(TODAY, day("2026-01-01"), state, reason)


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"pauses": (a_pause(),)}, "paused", id="all paused"),
        pytest.param({"pauses": (a_pause(kind="birthday"),)}, "paused", id="the kind paused"),
        pytest.param({"pauses": (a_pause(kind="anniversary"),)}, None, id="another kind paused"),
        pytest.param({"cancellations": (a_cancellation(),)}, "called_off", id="called off"),
        pytest.param(
            {"cancellations": (a_cancellation(kind="anniversary"),)}, None, id="another kind"
        ),
        pytest.param(
            {"cancellations": (a_cancellation(last_day=day("2026-06-20")),)},
            "called_off",
            id="the first of several days",
        ),
        pytest.param(
            {
                "cancellations": (
                    a_cancellation(first_day=day("2026-06-15"), last_day=day("2026-06-20")),
                )
            },
            None,
            id="other days",
        ),
        pytest.param(
            {"pauses": (a_pause(),), "cancellations": (a_cancellation(),)},
            "called_off",
            id="both",
        ),
        pytest.param(
            {
                "pauses": (a_pause(),),
                "cancellations": (a_cancellation(),),
                "rows": (a_row("accepted"),),
            },
            None,
            id="greeted before",
        ),
        pytest.param(
            {"pauses": (a_pause(),), "now": utc("2026-06-16 07:01")}, "too_late", id="too late"
        ),
        pytest.param(
            {"pauses": (a_pause(),), "rows": (a_row("waiting", "paused"),)}, "paused", id="put off"
        ),
        pytest.param(
            {
                "cancellations": (a_cancellation(),),
                "rows": (a_row("cancelled", "called_off"),),
            },
            "called_off",
            id="ended by it",
        ),
    ],
)
def test_holds_refuse_with_their_word(facts: dict[str, Any], reason: str | None) -> None:
    assert decide(ADA, BIRTHDAY, TODAY, facts=Facts(**facts)).reason == reason


def test_to_make_it_yes_every_pause_that_holds_it_is_resumed() -> None:
    pauses = (a_pause(), a_pause(kind="birthday"), a_pause(kind="anniversary"))
    facts = Facts(now=NOW, pauses=pauses)
    choice = choose_day(ADA, BIRTHDAY, day=TODAY, now=NOW)
    found = suggest(ADA, BIRTHDAY, choice, facts=facts, now=NOW)
    assert found is not None
    assert [(step.action, step.text) for step in found.steps] == [
        ("resume", f"resume the pause {pause.pause_id}") for pause in pauses[:2]
    ]


def test_nothing_brings_back_what_is_called_off() -> None:
    facts = Facts(now=NOW, cancellations=(a_cancellation(),))
    choice = choose_day(ADA, BIRTHDAY, day=TODAY, now=NOW)
    found = suggest(ADA, BIRTHDAY, choice, facts=facts, now=NOW)
    assert found is not None
    assert (found.is_possible, found.text) == (False, "nothing can: it was called off for good")


def test_no_other_date_goes_round_what_is_called_off() -> None:
    facts = Facts(now=NOW, cancellations=(a_cancellation(),))
    born_another_day = a_recipient(birthday="1990-01-01")
    choice = choose_day(born_another_day, BIRTHDAY, day=TODAY, now=NOW)
    found = suggest(born_another_day, BIRTHDAY, choice, facts=facts, now=NOW)
    assert found is not None
    assert found.text == "nothing can: whatever else is changed, it was called off for good"


def a_released_row(hold: Hold | None) -> Planned:
    return Planned(
        local_day=TODAY,
        person_id=ADA.person_id,
        kind="birthday",
        state="released",
        release=1,
        due_at=utc("2026-06-14 07:00"),
        release_at=utc("2026-06-14 07:00"),
        person_version=1,
        hold=hold,
    )


def anew(hold: Hold | None, **given: Any) -> Change:
    person = a_recipient(person_id=ADA.person_id, **{"birthday": "1990-06-14"} | given)
    earliest_at = utc("2026-06-14 07:00:01")
    return decide_anew(a_released_row(hold), person, BIRTHDAY, earliest_at=earliest_at)


@pytest.mark.parametrize(
    ("hold", "given", "ending"),
    [
        pytest.param(None, {}, ("waiting", None), id="nothing holds it"),
        pytest.param("paused", {}, ("waiting", "paused"), id="paused"),
        pytest.param("called_off", {}, ("cancelled", "called_off"), id="called off"),
        pytest.param(
            "paused", {"birthday": "1990-07-01"}, ("cancelled", "date_changed"), id="moved away"
        ),
        pytest.param(
            "paused", {"is_active": False}, ("suppressed", "user_removed"), id="EC-UD-016 removed"
        ),
        pytest.param(
            "called_off", {"opt_outs": ("birthday",)}, ("suppressed", "opted_out"), id="opted out"
        ),
    ],
)
def test_what_comes_back_is_decided_by_the_person_first_and_then_by_the_hold(
    hold: Hold | None, given: dict[str, Any], ending: tuple[str, str | None]
) -> None:
    change = anew(hold, **given)
    assert (change.state, change.reason) == ending


def test_what_is_paused_is_put_off_until_just_after_its_late_limit() -> None:
    change = anew("paused", zone="Asia/Tokyo")
    assert change.expires_at == utc("2026-06-16 00:00")
    assert change.release_at == utc("2026-06-16 00:00:00.000001")
