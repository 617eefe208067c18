"""Answers and refusals as an operator reads them."""

import re
from typing import Any

import pytest

from services.console.addresses import read_addresses
from services.console.api import _refusal
from services.console.arguments import COLUMNS, command_line
from services.console.asking import _what_if
from services.console.errors import CommandError
from services.console.importing import sentence
from services.console.sentences import cancellation, explanation, pause, simulation
from services.user.domain.profile import Profile

EXPLAINED: dict[str, Any] = {
    "kind": "birthday",
    "local_day": "2027-06-14",
    "zone": "Europe/Berlin",
    "due_at": "2027-06-14T07:00:00Z",
    "due_at_local": "2027-06-14T09:00:00+02:00",
    "is_owed": True,
    "rule": None,
    "reason": None,
    "change": None,
    "rules": [
        {"rule": "person_is_there", "holds": True, "inputs": {"active": "true"}},
        {"rule": "kind_is_wanted", "holds": True, "inputs": {}},
    ],
    "next": None,
    "state": None,
    "state_reason": None,
}


def test_yes_says_when() -> None:
    when = "2027-06-14T09:00:00+02:00 in Europe/Berlin, which is 2027-06-14T07:00:00Z"
    assert [*explanation(EXPLAINED)] == [
        f"birthday on 2027-06-14: owed at {when}",
        "  yes  person is there  (active=true)",
        "  yes  kind is wanted",
    ]


def test_no_says_why_and_what_would_help() -> None:
    told = EXPLAINED | {
        "is_owed": False,
        "rule": "kind_is_wanted",
        "reason": "opted_out",
        "rules": [{"rule": "kind_is_wanted", "holds": False, "inputs": {"opt_outs": "birthday"}}],
        "change": {
            "is_possible": True,
            "text": "remove birthday from opt_outs",
            "local_day": "2027-06-14",
        },
        "state": "suppressed",
        "state_reason": "opted_out",
        "next": {"due_at_local": "2028-06-14T09:00:00+02:00", "is_owed": True, "reason": None},
    }
    assert [*explanation(told)] == [
        "birthday on 2027-06-14: not owed, opted out (rule: kind is wanted)",
        "  NO   kind is wanted  (opt_outs=birthday)",
        "to make it yes, for 2027-06-14: remove birthday from opt_outs",
        "the plan holds it as suppressed (opted_out)",
        "next: 2028-06-14T09:00:00+02:00",
    ]


def test_erased_person_has_no_day() -> None:
    told = EXPLAINED | {
        "is_owed": False,
        "local_day": None,
        "rule": "person_is_there",
        "reason": "user_removed",
        "rules": [],
        "change": {
            "is_possible": False,
            "text": "nothing can: the person was erased",
            "local_day": None,
        },
    }
    assert [*explanation(told)] == [
        "birthday: not owed, user removed (rule: person is there)",
        "nothing can make it yes: the person was erased",
    ]


def test_simulation_is_told_with_its_what_if() -> None:
    outlook: dict[str, Any] = {
        "greetings": 98,
        "kinds": [{"kind": "birthday", "greetings": 98, "people": 98, "people_without": 2}],
        "timeline": [
            {"at": "2027-02-01T00:00:00Z", "kind": "birthday", "greetings": 4, "expired": 1}
        ],
        "nothing": [{"kind": "birthday", "reason": "opted_out", "people": 2, "examples": ["x"]}],
        "delivery": {
            "mails_per_s": 50,
            "late": 3,
            "expired": 1,
            "most_late_s": 12.5,
            "largest_backlog": 120,
            "busiest_at": "2027-02-03T08:00:00Z",
            "busiest": 60,
        },
    }
    told = {
        "from": "2027-02-01",
        "to": "2027-02-28",
        "people": 100,
        "tzdata": "2025.2",
        "as_is": outlook,
        "what_if": None,
        "difference": None,
    }
    assert [*simulation(told, per="day")] == [
        "2027-02-01 to 2027-02-28: 100 active people, zone data 2025.2",
        "as it is: 98 greetings",
        "  birthday: 98 greetings to 98 people, 2 get none",
        "    no birthday, opted out: 2, such as x",
        "  busiest minute: 2027-02-03T08:00:00Z with 60",
        "  at 50 mails/s: 3 late by up to 12 s, 1 expired, longest backlog 120",
        "  2027-02-01 UTC  birthday  4, 1 of them expired",
    ]
    moved = {
        "kind": "birthday",
        "local_day": "2027-02-03",
        "zone": "Asia/Tokyo",
        "was_at": "A",
        "at": "B",
        "greetings": 5,
    }
    difference = {"same": 90, "moved": 5, "added": 1, "gone": 2, "moves": [moved]}
    what_if = told | {"what_if": outlook, "difference": difference}
    compared = [*simulation(what_if, per="hour")]
    assert compared[-3:] == [
        "  2027-02-01T00:00:00Z  birthday  4, 1 of them expired",
        "difference: 90 same, 5 moved, 1 added, 2 gone",
        "  birthday of 2027-02-03 in Asia/Tokyo: A -> B (5)",
    ]


def test_holds_are_told_in_a_line() -> None:
    held = {
        "pause_id": "7",
        "person_id": None,
        "kind": "birthday",
        "reason": "wrong text",
        "paused_at": "2027-06-14T07:00:00Z",
    }
    assert pause(held) == ("7  everyone, birthday, since 2027-06-14T07:00:00Z, because: wrong text")
    days = {"first_day": "2027-06-14", "last_day": "2027-06-15"}
    assert cancellation({"person_id": "p", "kind": None} | days) == (
        "called off for p, every kind, 2027-06-14 to 2027-06-15"
    )


@pytest.mark.parametrize(
    ("pointer", "detail", "told"),
    [
        ("/email", "must be x", "column email ('a@'): must be x"),
        ("/opt_outs/1", "must be x", "column opt_outs ('b;c'): must be x"),
        ("/birthday", "is required", "column birthday: is required"),
        (
            "/timezone",
            "must be x",
            "column timezone (' UTC '): must be x, without the blank around it",
        ),
        ("", "has 9 cells", "the row has 9 cells"),
        ("", "a quote is open", "a quote is open"),
    ],
)
def test_fault_of_a_row_names_column_and_value(pointer: str, detail: str, told: str) -> None:
    values = {"email": "a@", "opt_outs": "b;c", "birthday": "", "timezone": " UTC "}
    assert sentence({"pointer": pointer, "detail": detail}, values) == told


def test_refusal_names_what_was_refused() -> None:
    body = (
        b'{"title":"The request is not valid","detail":"","errors":['
        b'{"pointer":null,"parameter":"kind","detail":"known are a, b"},'
        b'{"pointer":"/from","detail":"no day"},{"pointer":null,"detail":"no columns"}]}'
    )
    refused = _refusal(422, body)
    assert refused.sentence == "The request is not valid"
    assert refused.faults == ("kind: known are a, b", "from: no day", "no columns")
    assert _refusal(502, b"<html>").sentence == "the answer was 502"


def test_services_are_found_by_url_or_port() -> None:
    environ = {
        "JUBILEE_API_KEY": "k",
        "JUBILEE_USER_URL": "https://users.example/",
        "USER_HTTP_PORT": "1",
        "PLANNER_HTTP_PORT": "2",
        "DISPATCHER_HTTP_PORT": "3",
        "DISPATCHER_HTTP_HOST": "::1",
    }
    assert read_addresses(environ).urls == {
        "user": "https://users.example",
        "planner": "http://127.0.0.1:2",
        "dispatcher": "http://[::1]:3",
    }
    for missing in ("JUBILEE_API_KEY", "PLANNER_HTTP_PORT"):
        rest = {name: value for name, value in environ.items() if name != missing}
        with pytest.raises(CommandError, match=r"\.local/env"):
            read_addresses(rest)


def test_what_if_is_put_together() -> None:
    given = command_line().parse_args(
        [
            *("simulate", "--from", "2027-02-01", "--to", "2027-02-28"),
            *("--wall-time", "birthday=10:00", "--leap-day", "mar1", "--tzdata", "2022a"),
            *("--outage", "2027-02-03T07:00:00Z", "2027-02-05T09:00:00Z"),
        ]
    )
    assert _what_if(given) == {
        "kinds": {"birthday": {"wall_time": "10:00:00"}},
        "outage": {"from": "2027-02-03T07:00:00Z", "to": "2027-02-05T09:00:00Z"},
        "leap_day": "mar1",
        "tzdata": "2022a",
    }


def test_help_of_the_import_names_every_column() -> None:
    named = set(re.findall(r"[a-z_]+", COLUMNS))
    assert set(Profile.__struct_fields__) <= named
