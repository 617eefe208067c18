"""Request bodies: strict JSON, checked against a struct with every mistake told at once."""

import json
import math
import re
import types
from collections.abc import Iterator
from typing import Annotated, Any, Final, TypeVar, Union, get_args, get_origin

import msgspec
from litestar import Request

from libs.httpapi.problems import FieldError, Problem, invalid, standard_problem

MAX_BODY_BYTES: Final = 64 * 1024
MAX_DEPTH: Final = 32
MAX_ERRORS: Final = 50
"""Errors in one answer; a client that made more mistakes learns of them in turn."""
MAX_SAFE_INTEGER: Final = 2**53
"""Beyond it JSON readers disagree about the number (RFC 8259, 6)."""

T = TypeVar("T")

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_SUSPICIOUS: Final = re.compile(rb"\\u|\d{16}|\d[eE]")
"""Only bodies with escapes or great numbers can hold what the second look refuses."""
_PATH: Final = re.compile(r" - at `(?:key in )?\$?([^`]*)`$")
_PATH_STEP: Final = re.compile(r"\.([^.\[]+)|\[(\d+)\]")
_AN_INSTANT: Final = "must be an instant with an offset, such as 2027-06-14T09:00:00Z"
_WORDINGS: Final[tuple[tuple[str, str], ...]] = (
    ("of length", "wrong_length"),
    ("matching regex", "wrong_format"),
    ("missing required field", "missing"),
    ("unknown field", "unknown_field"),
    (", got", "wrong_type"),
    (">", "out_of_range"),
    ("<", "out_of_range"),
    ("multiple of", "out_of_range"),
)
_FORMATS: Final[tuple[tuple[str, str], ...]] = (
    ("RFC3339 encoded datetime", _AN_INSTANT),
    ("`datetime` with a timezone component", _AN_INSTANT),
    ("RFC3339 encoded date", "must be a day of the calendar, such as 2027-06-14"),
    ("RFC3339 encoded time", "must be a time of day, such as 09:00:00"),
    ("Invalid UUID", "must be a UUID"),
)


class JsonRequest(Request[Any, Any, Any]):
    """A request whose ``json()`` is strict and of the type its handler's ``data`` declares."""

    async def json(self) -> Any:
        """Return the body as the declared struct, or as plain values where none is declared.

        Raises:
            Problem: 415 for another content type, 400 for malformed JSON, 422 for wrong fields.
        """
        check_content_type(self, "application/json", "+json")
        value = parse_json(await self.body())
        declared = self.route_handler.parsed_data_field
        return value if declared is None else validated(declared.annotation, value)


def check_content_type(request: Request[Any, Any, Any], *allowed: str) -> None:
    """Refuse a body of another content type; an entry starting with ``+`` is a suffix.

    Raises:
        Problem: 415, also for a charset other than UTF-8 and for compressed bodies.
    """
    essence, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    essence = essence.strip()
    is_allowed = any(
        essence.endswith(one) if one.startswith("+") else essence == one for one in allowed
    )
    charset = re.search(r'charset="?([^";\s]+)', parameters)
    is_text = charset is None or charset[1] in {"utf-8", "utf8"}
    is_plain = request.headers.get("content-encoding", "identity").lower() == "identity"
    if not (is_allowed and is_text and is_plain):
        named = [f"a type ending in {one}" if one.startswith("+") else one for one in allowed]
        raise standard_problem(415, f"send {' or '.join(named)} in UTF-8, not compressed")


def parse_json(body: bytes) -> Any:
    """Return the plain values of one JSON text.

    Raises:
        Problem: 400 ``malformed_json`` (also for NaN, a byte order mark, lone surrogates and
            more than ``MAX_DEPTH`` levels), 400 ``duplicate_key``, 422 for great numbers and NUL.
    """
    if _is_too_deep(body):
        raise _malformed(f"more than {MAX_DEPTH} levels")
    try:
        value = json.loads(
            body.decode(), object_pairs_hook=_unique, parse_constant=_refuse_constant
        )
    except UnicodeDecodeError:
        raise _malformed("the body is not UTF-8") from None
    except json.JSONDecodeError as error:
        raise _malformed(f"{error.msg}, at character {error.pos}") from None
    except ValueError:  # thousands of digits
        raise invalid([_too_great("")]) from None
    if _SUSPICIOUS.search(body) and (errors := [*_second_look(value, "")]):
        raise invalid(errors[:MAX_ERRORS])
    return value


def validated(kind: type[T], value: Any) -> T:
    """Return ``value``, made of plain values, as ``kind``, which is usually a struct.

    Raises:
        Problem: 422 with one entry per wrong, missing or unknown field, nested ones included.
    """
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        errors = field_errors(kind, value) or [_worded(error, "")]
        raise invalid(errors[:MAX_ERRORS]) from None


def field_errors(kind: Any, value: Any, pointer: str = "") -> list[FieldError]:
    """Return everything that is wrong with ``value``, empty if it is a ``kind``."""
    struct, element = _struct_in(kind), _element_in(kind)
    errors: list[FieldError] = []
    if struct is not None and isinstance(value, dict):
        errors = _errors_of_members(struct, value, pointer)
    elif element is not None and isinstance(value, list):
        for index, item in enumerate(value):
            errors += field_errors(element, item, f"{pointer}/{index}")
    elif (member := _member_in(kind)) is not None and isinstance(value, dict):
        for name, item in value.items():
            errors += field_errors(member, item, _child(pointer, name))
    return errors or _errors_of_whole(kind, value, pointer)


def _errors_of_members(
    struct: type[msgspec.Struct], value: dict[str, Any], pointer: str
) -> list[FieldError]:
    fields = {field.encode_name: field for field in msgspec.structs.fields(struct)}
    errors: list[FieldError] = []
    if struct.__struct_config__.forbid_unknown_fields:
        tag = struct.__struct_config__.tag_field
        unknown = [name for name in value if name not in fields and name != tag]
        errors += [FieldError(_child(pointer, name), *_UNKNOWN_FIELD) for name in unknown]
    for name, field in fields.items():
        if name in value:
            errors += field_errors(field.type, value[name], _child(pointer, name))
        elif field.required:
            errors.append(FieldError(_child(pointer, name), *_MISSING_FIELD))
    return errors


_UNKNOWN_FIELD: Final = ("unknown_field", "there is no such field")
_MISSING_FIELD: Final = ("missing", "this field is required")


def _errors_of_whole(kind: Any, value: Any, pointer: str) -> list[FieldError]:
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        return [_worded(error, pointer)]
    return []


def _worded(error: msgspec.ValidationError, pointer: str) -> FieldError:
    """Translate msgspec's words, leaving out those that repeat the value."""
    text = str(error)
    path = _PATH.search(text)
    steps = _PATH_STEP.findall(path[1]) if path else []
    for name, index in steps:
        pointer = _child(pointer, name or index)
    message = text[: path.start()] if path else text
    for words, detail in _FORMATS:
        if words in message:
            return FieldError(pointer, "wrong_format", detail)
    if message.startswith("Invalid"):
        kind_of_value = re.match(r"Invalid ([A-Za-z0-9 ]+)", message)
        noun = kind_of_value[1].strip() if kind_of_value else "value"
        code = "not_allowed" if "value" in noun else "wrong_format"
        return FieldError(pointer, code, f"not a valid {noun}")
    code = next((code for words, code in _WORDINGS if words in message), "wrong_value")
    return FieldError(pointer, code, message[:1].lower() + message[1:])


def _struct_in(kind: Any) -> type[msgspec.Struct] | None:
    found = [one for one in _alternatives(kind) if isinstance(_bare(one), type)]
    structs = [one for one in found if issubclass(_bare(one), msgspec.Struct)]
    return structs[0] if len(structs) == 1 else None


def _element_in(kind: Any) -> Any:
    for one in _alternatives(kind):
        if get_origin(one) in {list, set, frozenset}:
            return get_args(one)[0]
    return None


def _member_in(kind: Any) -> Any:
    for one in _alternatives(kind):
        if get_origin(one) is dict:
            return get_args(one)[1]
    return None


def _alternatives(kind: Any) -> Iterator[Any]:
    if get_origin(kind) is Annotated:
        yield from _alternatives(get_args(kind)[0])
    elif get_origin(kind) in {Union, types.UnionType}:
        for one in get_args(kind):
            yield from _alternatives(one)
    else:
        yield kind


def _bare(kind: Any) -> Any:
    return get_origin(kind) or kind


def _child(pointer: str, name: str) -> str:
    return f"{pointer}/{name[:100].replace('~', '~0').replace('/', '~1')}"


def _is_too_deep(body: bytes) -> bool:
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return False
    depth = 0
    for byte in _STRING.sub(b"", body):
        if byte in b"[{":
            depth += 1
            if depth > MAX_DEPTH:
                return True
        elif byte in b"]}":
            depth -= 1
    return False


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise Problem(400, "duplicate_key", "The body names a field twice")
    return members


def _refuse_constant(name: str) -> Any:
    raise _malformed(f"{name} is not JSON")


def _second_look(value: Any, pointer: str) -> Iterator[FieldError]:
    match value:
        case dict():
            for name, member in value.items():
                yield from _second_look(name, pointer)
                yield from _second_look(member, _child(pointer, name))
        case list():
            for index, item in enumerate(value):
                yield from _second_look(item, f"{pointer}/{index}")
        case str():
            yield from _look_at_text(value, pointer)
        case int() | float():
            if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER or math.isinf(value):
                yield _too_great(pointer)


def _look_at_text(text: str, pointer: str) -> Iterator[FieldError]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _malformed("a lone surrogate is not text") from None
    if "\0" in text:
        yield FieldError(pointer, "control_character", "NUL is not allowed")


def _too_great(pointer: str) -> FieldError:
    return FieldError(pointer, "out_of_range", "the number is beyond 2^53")


def _malformed(detail: str) -> Problem:
    return Problem(400, "malformed_json", "The body is not JSON", detail)
