"""Lines of JSON, read as strictly as the body of a request."""

import re
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from libs.httpapi.bodies import parse_json
from libs.httpapi.problems import Problem
from services.user.app.import_people import Line
from services.user.domain.errors import FieldError
from services.user.entrypoints.lines import TOO_LONG

_MEMBER: Final = re.compile(rb'"\s*:')
_NO_OBJECT: Final = FieldError("", "wrong_type", "must be an object")
_decoder: Final = msgspec.json.Decoder()


class NdjsonReader:
    """Reads an object per line; lines before ``from_line`` are passed over unread."""

    def __init__(self, *, from_line: int = 1) -> None:
        self._from_line = from_line

    def read(self, number: int, text: bytes | None) -> Sequence[Line]:
        """Return the line."""
        if number < self._from_line:
            return ()
        return (Line(number, TOO_LONG if text is None else read_line(text)),)

    def end(self) -> Sequence[Line]:
        """Return nothing: every line stands by itself."""
        return ()


def read_line(text: bytes) -> dict[str, Any] | FieldError:
    """Return the object on one line, read as strictly as a request's body.

    The fast reader takes a repeated name without a word; it can only be there if the line has more
    names than the object it gives.
    """
    try:
        value = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    is_flat = isinstance(value, dict) and dict not in map(type, value.values())
    if is_flat and _has_no_repeated_name(text, names=len(value)):
        return value  # type: ignore[no-any-return]
    return _read_strictly(text)


def _has_no_repeated_name(text: bytes, *, names: int) -> bool:
    """Tell whether a flat object has as many members as ``names``; each has a colon of its own."""
    return text.count(b":") == names or len(_MEMBER.findall(text)) == names


def _read_strictly(text: bytes) -> dict[str, Any] | FieldError:
    try:
        value = parse_json(text)
    except Problem as problem:
        if problem.errors:
            first = problem.errors[0]
            return FieldError(first.pointer or "", first.code, first.detail)
        return FieldError("", problem.code, problem.detail or problem.title)
    return value if isinstance(value, dict) else _NO_OBJECT
