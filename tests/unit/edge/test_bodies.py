from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

import msgspec
import pytest

from libs.httpapi.bodies import MAX_ERRORS, parse_json, validated
from libs.httpapi.problems import Problem
from tests.unit.edge.api import NewPerson


def refusal(kind: Any, value: Any) -> list[tuple[str | None, str]]:
    with pytest.raises(Problem) as caught:
        validated(kind, value)
    assert (caught.value.status, caught.value.code) == (422, "validation_failed")
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_a_right_body_becomes_its_struct() -> None:
    body = b'{"name": "Ada", "birthday": "1990-12-10", "address": {"city": "Rome"}}'
    assert validated(NewPerson, parse_json(body)).name == "Ada"


def test_every_wrong_field_is_told_with_its_pointer() -> None:
    value = {
        "name": "",
        "age": "5",
        "birthday": "2023-02-29",
        "address": {"town": "Rome"},
        "opt_outs": ["birthday", "X"],
        "nick/name": "A",
        "locale": None,
    }
    assert refusal(NewPerson, value) == [
        ("/nick~1name", "unknown_field"),
        ("/name", "wrong_length"),
        ("/age", "wrong_type"),
        ("/birthday", "wrong_format"),
        ("/address/town", "unknown_field"),
        ("/address/city", "missing"),
        ("/opt_outs/1", "wrong_format"),
        ("/locale", "wrong_type"),
    ]


@pytest.mark.parametrize(
    ("age", "code"),
    [(True, "wrong_type"), ("5", "wrong_type"), (-1, "out_of_range"), (1.5, "wrong_type")],
    ids=["boolean", "text", "negative", "fraction"],
)
def test_a_number_is_a_number(age: Any, code: str) -> None:
    assert refusal(NewPerson, {"name": "Ada", "age": age}) == [("/age", code)]


@pytest.mark.parametrize("value", [None, "x", 5, [], [{"name": "Ada"}]])
def test_a_body_that_is_no_object_is_refused_as_a_whole(value: Any) -> None:
    assert refusal(NewPerson, value) == [("", "wrong_type")]


def test_the_items_of_a_list_are_checked_one_by_one() -> None:
    people = [{"name": "Ada"}, {"name": 1}, {}]
    assert refusal(list[NewPerson], people) == [("/1/name", "wrong_type"), ("/2/name", "missing")]


def test_the_members_of_a_map_are_checked_by_name() -> None:
    people = {"a/b": {"name": "Ada"}, "c": {"name": 1}}
    assert refusal(dict[str, NewPerson], people) == [("/c/name", "wrong_type")]
    assert refusal(dict[str, NewPerson], {"a/b": {}}) == [("/a~1b/name", "missing")]


@pytest.mark.parametrize(
    ("kind", "value", "example"),
    [
        (date, "2027-02-30", "2027-06-14"),
        (Annotated[datetime, msgspec.Meta(tz=True)], "2027-06-14T09:00Z", "2027-06-14T09:00:00Z"),
        (Annotated[datetime, msgspec.Meta(tz=True)], "2027-06-14T09:00:00", "2027-06-14T09:00:00Z"),
        (time, "25:00:00", "09:00:00"),
        (UUID, "7", "UUID"),
    ],
    ids=["day", "no seconds", "no offset", "hour 25", "id"],
)
def test_a_wrong_format_is_told_by_an_example(kind: Any, value: str, example: str) -> None:
    with pytest.raises(Problem) as caught:
        validated(kind, value)
    [error] = caught.value.errors
    assert error.code == "wrong_format"
    assert error.detail.endswith(example)


def test_one_answer_holds_a_bounded_number_of_errors() -> None:
    assert len(refusal(NewPerson, {f"field{i}": 1 for i in range(1000)})) == MAX_ERRORS


def test_the_refused_value_is_never_repeated() -> None:
    with pytest.raises(Problem) as caught:
        validated(NewPerson, {"name": "secret", "age": "secret", "birthday": "secret"})
    assert b"secret" not in caught.value.body()


def test_rules_of_the_whole_struct_are_told_too() -> None:
    class Span(msgspec.Struct):
        first: int
        last: int

        def __post_init__(self) -> None:
            if self.last < self.first:
                raise ValueError("last must not be before first")

    assert refusal(Span, {"first": 2, "last": 1}) == [("", "wrong_value")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xef\xbb\xbf{}",
        b"\xff",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\\ud800"}',
        b'{"\\udfff": 1}',
        b'{"a": "\n"}',
        b"[" * 33 + b"]" * 33,
        b"[" * 60_000,
        b'{"a": 01}',
        b"{} {}",
        '{"a": "é"}'.encode("utf-16"),
    ],
    ids=repr,
)
def test_what_is_not_json_is_malformed(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_json(body)
    assert (caught.value.status, caught.value.code) == (400, "malformed_json")


@pytest.mark.parametrize("body", [b'{"a": 1, "a": 1}', b'[{"b": {"a": 1, "\\u0061": 2}}]'])
def test_a_field_named_twice_is_refused(body: bytes) -> None:
    with pytest.raises(Problem) as caught:
        parse_json(body)
    assert (caught.value.status, caught.value.code) == (400, "duplicate_key")


@pytest.mark.parametrize(
    ("body", "pointer", "code"),
    [
        (b'{"a": 9007199254740993}', "/a", "out_of_range"),
        (b'{"a": [0, -1e400]}', "/a/1", "out_of_range"),
        (b"1" * 5000, "", "out_of_range"),
        (b'{"a": "x\\u0000"}', "/a", "control_character"),
    ],
    ids=["beyond 2^53", "infinite", "thousands of digits", "NUL"],
)
def test_json_that_no_table_can_hold_is_refused(body: bytes, pointer: str, code: str) -> None:
    with pytest.raises(Problem) as caught:
        parse_json(body)
    assert caught.value.status == 422
    assert [(error.pointer, error.code) for error in caught.value.errors] == [(pointer, code)]


@pytest.mark.parametrize(
    "body",
    [b"[" * 32 + b"]" * 32, b'["' + b"[" * 40 + b'"]', b'["\\"", "[[[[["]', b'{"a": "\\u00e9"}'],
    ids=["32 levels", "brackets in text", "escaped quotes", "escapes"],
)
def test_unusual_json_is_still_json(body: bytes) -> None:
    parse_json(body)
