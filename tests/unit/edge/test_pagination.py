from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from libs.httpapi.pagination import decode_cursor, encode_cursor
from libs.httpapi.problems import Problem


class Position(msgspec.Struct, frozen=True):
    registered_at: datetime
    person_id: UUID


HERE = Position(datetime(2026, 6, 14, 9, tzinfo=UTC), UUID(int=7))


def test_a_cursor_comes_back_as_the_position() -> None:
    text = encode_cursor(HERE, scope="people")
    assert decode_cursor(text, Position, scope="people") == HERE
    assert text.replace("-", "").replace("_", "").isalnum()


def altered(text: str) -> str:
    return text[:-1] + ("A" if text[-1] != "A" else "B")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "é",
        "not a cursor",
        "A" * 1000,
        "[" * 100,
        encode_cursor(HERE, scope="people?zone=Europe/Rome"),
        altered(encode_cursor(HERE, scope="people")),
        encode_cursor(Position(HERE.registered_at, "x"), scope="people"),  # type: ignore[arg-type]
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        decode_cursor(text, Position, scope="people")
    assert (caught.value.status, caught.value.code) == (400, "bad_cursor")


def test_a_cursor_of_another_shape_is_refused() -> None:
    class Short(msgspec.Struct):
        person_id: UUID

    with pytest.raises(Problem, match="bad_cursor"):
        decode_cursor(encode_cursor(HERE, scope="people"), Short, scope="people")
