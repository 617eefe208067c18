"""Which day an answer is about, what it rests on, and what would change it."""

from datetime import date, datetime, time, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.kinds import KINDS, Kind
from contracts.kinds.birthday import BIRTHDAY
from libs.localtime import zone_names
from services.planner.domain.decision import decide, next_decision
from services.planner.domain.explanation import Choice, choose_day
from services.planner.domain.facts import Facts, PlannedDay
from services.planner.domain.origin import MalformedOriginError, origin_from
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES
from services.planner.domain.suggestion import Step, Suggestion, suggest
from tests.support.depth import deeper
from tests.support.recipients import LONG_AGO, a_recipient, day, utc

NOW = utc("2026-06-14 12:00")
CADENCES: dict[str, Kind] = {
    cadence: msgspec.structs.replace(BIRTHDAY, cadence=cadence, wall_time=time(9))
    for cadence in RECURRENCES
}


def rows(*given: tuple[str, str, str | None]) -> tuple[PlannedDay, ...]:
    """Return birthday rows (day, state, reason) of the plan."""
    return tuple(
        PlannedDay(day(text), day(f"{text[:4]}-01-01"), state, reason)  # type: ignore[arg-type]
        for text, state, reason in given
    )


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        pytest.param({"blocks": {"*": "hard_bounce"}}, "hard_bounce", id="address suppressed"),
        pytest.param({"blocks": {"birthday": "unsubscribed"}}, "unsubscribed", id="unsubscribed"),
        pytest.param({"blocks": {"anniversary": "unsubscribed"}}, None, id="from another kind"),
        pytest.param(
            {"rows": rows(("2026-03-01", "accepted", None))}, "already_greeted", id="greeted"
        ),
        pytest.param({"rows": rows(("2026-03-01", "unknown", "timeout"))}, "in_flight", id="maybe"),
        pytest.param({"rows": rows(("2026-03-01", "released", None))}, "in_flight", id="asked for"),
        pytest.param({"rows": rows(("2026-03-01", "refused", "bad_mailbox"))}, None, id="refused"),
        pytest.param({"rows": rows(("2025-06-14", "accepted", None))}, None, id="last year's"),
        pytest.param({"rows": rows(("2026-06-14", "accepted", None))}, None, id="this very day"),
        pytest.param(
            {"rows": rows(("2026-06-14", "refused", "bad_mailbox"))}, "bad_mailbox", id="ended"
        ),
        pytest.param(
            {"rows": rows(("2026-06-14", "suppressed", "opted_out"))}, None, id="returning"
        ),
        pytest.param({"now": utc("2026-06-16 07:00")}, None, id="the last moment"),
        pytest.param({"now": utc("2026-06-16 07:01")}, "too_late", id="past its late limit"),
        pytest.param(
            {"now": utc("2026-07-01"), "rows": rows(("2026-06-14", "accepted", None))},
            None,
            id="greeted long ago",
        ),
    ],
)
def test_facts_refuse_with_their_word(facts: dict[str, Any], reason: str | None) -> None:
    person = a_recipient(birthday="1990-06-14")
    assert decide(person, BIRTHDAY, day("2026-06-14"), facts=Facts(**facts)).reason == reason


def test_what_the_plan_holds_stays_owed_wherever_its_instant_moves() -> None:
    person = a_recipient(birthday="1990-06-14", active_since=utc("2026-06-14 08:00"))
    assert decide(person, BIRTHDAY, day("2026-06-14")).reason == "known_too_late"
    planned = Facts(rows=rows(("2026-06-14", "waiting", None)))
    assert decide(person, BIRTHDAY, day("2026-06-14"), facts=planned).is_owed


def test_every_rule_has_a_name_and_a_word_of_its_own() -> None:
    decision = decide(a_recipient(birthday="1990-06-14"), BIRTHDAY, day("2026-06-14"))
    assert [(rule.name, rule.reason) for rule in decision.rules] == [
        ("person_is_there", "user_removed"),
        ("kind_is_wanted", "opted_out"),
        ("date_is_known", "no_date"),
        ("date_falls_on_day", "other_day"),
        ("date_has_happened", "before_date"),
        ("known_in_time", "known_too_late"),
        ("not_called_off", "called_off"),
        ("not_too_late", "too_late"),
        ("not_paused", "paused"),
        ("mail_is_not_blocked", "blocked"),
        ("only_day_of_period", "already_greeted"),
        ("not_ended_already", "ended"),
    ]


@pytest.mark.parametrize(
    ("asked", "now", "local_day"),
    [
        pytest.param({}, "2026-06-13 23:00", "2026-06-14", id="EC-BD-013 tomorrow"),
        pytest.param({}, "2026-06-14 12:00", "2026-06-14", id="today, after nine"),
        pytest.param({}, "2026-06-14 23:00", "2027-06-14", id="the day is over there"),
        pytest.param({"year": 2026}, "2026-06-15 12:00", "2026-06-14", id="this year's, past"),
        pytest.param({"year": 1985}, "2026-06-15 12:00", "1985-06-14", id="before the date"),
        pytest.param({"day": day("2026-01-01")}, "2026-06-15 12:00", "2026-01-01", id="the day"),
    ],
)
def test_the_day_in_question_is_what_an_operator_means(
    asked: dict[str, Any], now: str, local_day: str
) -> None:
    person = a_recipient(birthday="1990-06-14")
    assert choose_day(person, BIRTHDAY, now=utc(now), **asked).local_day == day(local_day)


def test_of_several_days_in_a_year_the_next_is_chosen_and_the_number_told() -> None:
    person = a_recipient(birthday="1990-01-31")
    choice = choose_day(person, CADENCES["monthly"], year=2026, now=NOW)
    assert (choice.local_day, choice.days_in_year) == (day("2026-06-30"), 12)
    past = choose_day(person, CADENCES["monthly"], year=2025, now=NOW)
    assert past.local_day == day("2025-12-31")


def test_a_single_day_that_is_over_is_still_the_answer() -> None:
    person = a_recipient(birthday="2020-02-03")
    assert choose_day(person, CADENCES["once"], now=NOW).local_day == day("2020-02-03")
    assert choose_day(person, CADENCES["once"], year=2021, now=NOW).local_day is None


def test_without_a_date_there_is_no_day_to_talk_about() -> None:
    choice = choose_day(a_recipient(), BIRTHDAY, now=NOW)
    decision = decide(a_recipient(), BIRTHDAY, choice.local_day)
    assert (choice.local_day, decision.due_at, decision.reason) == (None, None, "no_date")


@pytest.mark.edge_case("EC-BD-012")
@pytest.mark.parametrize(
    ("active_since", "next_day"),
    [("2026-06-14 06:59", "2026-06-14"), ("2026-06-14 07:01", "2027-06-14")],
)
def test_who_is_registered_on_the_birthday_hears_when_it_is(
    active_since: str, next_day: str
) -> None:
    since = utc(active_since)
    person = a_recipient(birthday="1990-06-14", active_since=since)
    upcoming = next_decision(person, BIRTHDAY, now=since, facts=Facts(now=since))
    assert upcoming is not None
    assert (upcoming.local_day, upcoming.is_owed) == (day(next_day), True)


def suggestion_for(
    person: Recipient, asked: dict[str, Any], kind: Kind = BIRTHDAY, **facts: Any
) -> Suggestion | None:
    choice = choose_day(person, kind, now=NOW, **asked)
    return suggest(person, kind, choice, facts=Facts(now=NOW, **facts), now=NOW)


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        pytest.param({"birthday": "1992-02-29"}, {"leap_day": "mar1"}, id="29 February moves"),
        pytest.param({"birthday": "1992-02-27"}, {"birthday": "1992-03-01"}, id="the year stays"),
        pytest.param({}, {"birthday": "--03-01"}, id="no date at all"),
    ],
)
def test_the_least_is_changed(given: dict[str, Any], fields: dict[str, Any]) -> None:
    found = suggestion_for(a_recipient(**given), {"day": day("2027-03-01")})
    assert found is not None
    assert [step.fields for step in found.steps] == [fields]


def test_a_change_after_the_instant_comes_too_late_for_it() -> None:
    found = suggestion_for(a_recipient(birthday="1990-01-01"), {"day": day("2026-06-14")})
    assert found == Suggestion(
        "nothing can: its instant has passed, and what is changed now counts only from the next on"
    )


def test_nothing_brings_back_who_was_erased() -> None:
    found = suggestion_for(a_recipient(is_active=False, is_erased=True), {})
    assert found is not None
    assert not found.is_possible


def after(person: Recipient, facts: Facts, step: Step) -> tuple[Recipient, Facts]:
    """Do a step as user service and dispatcher would, a moment from now."""
    match step.action:
        case "restore":
            return msgspec.structs.replace(person, is_active=True, active_since=NOW), facts
        case "opt_in":
            gone = set(person.opt_outs) - set(step.fields["opt_outs"])
            since = {**person.opted_in_since, **dict.fromkeys(gone, NOW)}
            wanted = tuple(step.fields["opt_outs"])
            changed = msgspec.structs.replace(person, opt_outs=wanted, opted_in_since=since)
            return changed, facts
        case "set_date":
            ((field, text),) = step.fields.items()
            dates, since = {**person.dates, field: text}, {**person.dates_since, field: NOW}
            return msgspec.structs.replace(person, dates=dates, dates_since=since), facts
        case "set_leap_day":
            return msgspec.structs.replace(person, leap_day=step.fields["leap_day"]), facts
        case "lift_block":
            return person, msgspec.structs.replace(facts, blocks={})
        case _:
            raise AssertionError(step.action)


def all_after(person: Recipient, facts: Facts, steps: tuple[Step, ...]) -> tuple[Recipient, Facts]:
    for step in steps:
        person, facts = after(person, facts, step)
    return person, facts


date_texts = st.dates(date(1990, 1, 1), date(2027, 12, 31)).map(str) | st.sampled_from(
    ["--02-29", "--06-14", "2000-02-29", "2026-06-14", "2026-06-15"]
)
moments = st.datetimes(datetime(2026, 6, 1), datetime(2026, 6, 14, 12)).map(  # noqa: DTZ001
    lambda naive: naive.replace(tzinfo=NOW.tzinfo)
) | st.just(LONG_AGO)


@st.composite
def people(draw: st.DrawFn) -> Recipient:
    """Anyone, with everything that may stand in the way."""
    text = draw(st.none() | date_texts)
    is_erased = draw(st.integers(0, 9)) == 0
    return a_recipient(
        birthday=text,
        is_active=not is_erased and draw(st.integers(0, 4)) > 0,
        is_erased=is_erased,
        zone=draw(st.sampled_from(zone_names())),
        leap_day=draw(st.sampled_from(["feb28", "mar1"])),
        active_since=draw(moments),
        dates_since=draw(st.just({}) | moments.map(lambda at: {"birthday": at})),
        opt_outs=draw(st.sampled_from([(), (), ("birthday",), ("anniversary", "birthday")])),
        opted_in_since=draw(st.just({}) | moments.map(lambda at: {"birthday": at})),
    )


facts_known = st.builds(
    Facts,
    now=st.just(NOW),
    blocks=st.sampled_from([{}, {}, {"*": "hard_bounce"}, {"birthday": "unsubscribed"}]),
    rows=st.sampled_from(
        [
            (),
            (),
            rows(("2026-03-01", "accepted", None)),
            rows(("2026-06-14", "refused", "bad_mailbox")),
            rows(("2026-06-14", "waiting", None)),
            rows(("2026-06-15", "accepted", None)),
        ]
    ),
)
questions: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.integers(2024, 2029).map(lambda year: {"year": year}),
    st.dates(date(2026, 6, 1), date(2028, 12, 31)).map(lambda one: {"day": one}),
)


@settings(max_examples=deeper(600, 20_000), deadline=None)
@given(people(), facts_known, questions, st.sampled_from(sorted(CADENCES)))
def test_a_suggested_change_makes_it_yes_and_no_step_is_too_many(
    person: Recipient, facts: Facts, asked: dict[str, Any], cadence: str
) -> None:
    kind = CADENCES[cadence]
    choice = choose_day(person, kind, now=NOW, **asked)
    found = suggest(person, kind, choice, facts=facts, now=NOW)
    if found is None:
        assert decide(person, kind, choice.local_day, facts=facts).is_owed
        return
    assert not decide(person, kind, choice.local_day, facts=facts).is_owed
    if not found.is_possible:
        assert not any(_is_owed_after(person, kind, choice, facts, t) for t in _texts(choice))
        return
    assert choice.local_day in {None, found.local_day}
    changed, known = all_after(person, facts, found.steps)
    assert decide(changed, kind, found.local_day, facts=known).is_owed
    for step in found.steps:
        changed, known = all_after(person, facts, tuple(s for s in found.steps if s is not step))
        assert not decide(changed, kind, found.local_day, facts=known).is_owed


def _texts(choice: Choice) -> list[str]:
    """Return dates that might help: those around the day in question, with and without years."""
    middle = choice.local_day or date(choice.year or NOW.year, 12, 31)
    around = [middle - timedelta(days=back) for back in range(8)]
    known = [f"{min(one.year, 2026):04}-{one:%m-%d}" for one in around]
    return known + [f"--{one:%m-%d}" for one in around]


def _is_owed_after(person: Recipient, kind: Kind, choice: Choice, facts: Facts, text: str) -> bool:
    """Tell whether setting ``text``, and doing all else that can be done, makes it owed."""
    if person.is_erased:
        return False
    try:
        origin = origin_from(text)
    except MalformedOriginError:
        return False
    if origin.first_day is not None and origin.first_day > NOW.date():
        return False
    everything = (
        *((Step("restore", ""),) if not person.is_active else ()),
        *((Step("opt_in", "", {"opt_outs": []}),) if "birthday" in person.opt_outs else ()),
        Step("set_date", "", {"birthday": text}),
        Step("lift_block", ""),
    )
    changed, lifted = all_after(person, facts, everything)
    days = [choice.local_day] if choice.local_day else []
    return any(decide(changed, kind, one, facts=lifted).is_owed for one in days)


def test_a_suggestion_is_about_a_kind_of_ours() -> None:
    assert set(CADENCES) == set(RECURRENCES)
    assert KINDS["birthday"] is BIRTHDAY
