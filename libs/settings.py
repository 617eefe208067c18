"""Settings from environment variables: every mistake at once, in words that say what to do."""

import difflib
import inspect
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo

S = TypeVar("S", bound=msgspec.Struct)

Positive: Final = msgspec.Meta(gt=0)
NotNegative: Final = msgspec.Meta(ge=0)
Port: Final = msgspec.Meta(ge=0, le=65535)
"""A TCP port; 0 takes any free one."""

PostgresUrl: Final = msgspec.Meta(
    pattern=r"^postgres(ql)?://", description="postgresql://user:password@host:5432/database"
)
AmqpUrl: Final = msgspec.Meta(
    pattern=r"^amqps?://[^/?]", description="amqp://user:password@host:5672/vhost"
)

SHARED_PREFIX: Final = "JUBILEE"
"""Fields named ``jubilee_…`` are the same variable for every service."""

_NOT_OURS: Final = frozenset({"USER_ZDOTDIR"})
"""An editor's terminal sets this one for its shell; it merely looks like a setting."""

_COMMENTED_FIELD: Final = re.compile(r"^ {4}(\w+):[^#\n]*#\s*(.+?)\s*$", re.MULTILINE)


class SettingsError(Exception):
    """The environment does not describe a process that may start; the text lists every mistake."""

    def __init__(self, mistakes: list[str]) -> None:
        super().__init__("\n".join(["Cannot start, mend these settings:", *_bullets(mistakes)]))
        self.mistakes = mistakes


def read_settings(cls: type[S], prefix: str, environ: Mapping[str, str]) -> S:
    """Return the settings ``cls`` describes, each field read from ``PREFIX_FIELDNAME``.

    An empty variable counts as not set. Values never appear in an error: they may be secrets.

    Raises:
        SettingsError: a value is missing or out of bounds, or a name with the prefix is unknown.
    """
    fields = _fields_by_variable(cls, prefix)
    mistakes = [*_unknown_names(fields, prefix, environ)]
    values: dict[str, Any] = {}
    for variable, field in fields.items():
        if text := environ.get(variable, "").strip():
            _read_one(variable, field, text, values=values, mistakes=mistakes)
        elif field.required:
            mistakes.append(f"{variable} is not set: give {_wanted(field.type)}")
    if mistakes:
        raise SettingsError(mistakes)
    return _built(cls, values)


def help_text(cls: type[msgspec.Struct], prefix: str) -> str:
    """Return one line per variable: its name, what it takes, its default and its meaning.

    The meaning is the comment beside the field.
    """
    meanings = _meanings(cls)
    lines = []
    for variable, field in _fields_by_variable(cls, prefix).items():
        default = "required" if field.required else f"default {_shown(field)}"
        meaning = meanings.get(field.name, "")
        lines.append(f"  {variable}  {_wanted(field.type)}, {default}" + f"  {meaning}".rstrip())
    return "\n".join(lines)


def _fields_by_variable(cls: type[msgspec.Struct], prefix: str) -> dict[str, FieldInfo]:
    return {_variable(field.name, prefix): field for field in msgspec.structs.fields(cls)}


def _variable(field_name: str, prefix: str) -> str:
    if field_name.startswith(SHARED_PREFIX.lower() + "_"):
        return field_name.upper()
    return f"{prefix.removesuffix('_')}_{field_name.upper()}"


def _unknown_names(
    fields: Mapping[str, FieldInfo], prefix: str, environ: Mapping[str, str]
) -> Iterator[str]:
    own = prefix.removesuffix("_") + "_"
    for name in sorted(environ):
        near = difflib.get_close_matches(name, fields, n=1, cutoff=0.8)
        hint = f": did you mean {near[0]}?" if near else ": remove it"
        is_own = name.startswith(own) and name not in _NOT_OURS
        # Other JUBILEE_ names belong to tools; only one that looks like a slip is refused.
        is_slip = name.startswith(SHARED_PREFIX + "_") and bool(near)
        if name not in fields and (is_own or is_slip):
            yield f"{name} is not a setting{hint}"


def _read_one(
    variable: str, field: FieldInfo, text: str, *, values: dict[str, Any], mistakes: list[str]
) -> None:
    try:
        value = msgspec.convert(text, field.type, strict=False)
    except msgspec.ValidationError:
        mistakes.append(f"{variable} is not usable: give {_wanted(field.type)}")
        return
    if isinstance(value, float) and not math.isfinite(value):
        mistakes.append(f"{variable} is not usable: give {_wanted(field.type)}")
        return
    values[field.name] = value


def _built(cls: type[S], values: Mapping[str, Any]) -> S:
    try:
        return cls(**values)
    except ValueError as error:  # __post_init__ of the struct: fields that contradict each other
        raise SettingsError([str(error)]) from error


def _wanted(annotation: Any) -> str:
    """Say in words what a field takes."""
    return _described(msgspec.inspect.type_info(annotation))


def _described(info: msgspec.inspect.Type) -> str:
    match info:
        case msgspec.inspect.Metadata(extra_json_schema={"description": str(example)}):
            words = f"text like {example}"
        case msgspec.inspect.Metadata(type=inner):
            words = _described(inner)
        case msgspec.inspect.UnionType(types=types):
            named = [t for t in types if not isinstance(t, msgspec.inspect.NoneType)]
            words = " or ".join(_described(t) for t in named)
        case msgspec.inspect.IntType():
            words = "a whole number" + _bounds(info)
        case msgspec.inspect.FloatType():
            words = "a number" + _bounds(info)
        case msgspec.inspect.BoolType():
            words = "true or false"
        case msgspec.inspect.LiteralType(values=values):
            words = "one of " + ", ".join(str(value) for value in values)
        case msgspec.inspect.StrType(pattern=str(pattern)):
            words = f"text of the form {pattern}"
        case _:
            words = "text"
    return words


def _bounds(info: msgspec.inspect.IntType | msgspec.inspect.FloatType) -> str:
    limits = [("above", info.gt), ("at least", info.ge), ("below", info.lt), ("at most", info.le)]
    words = [f"{word} {limit:g}" for word, limit in limits if limit is not None]
    return "".join([" ", " and ".join(words)]) if words else ""


def _shown(field: FieldInfo) -> str:
    if field.default is NODEFAULT:
        return "computed"
    if field.default is None or field.default == "":
        return "not set"
    return str(field.default)


def _meanings(cls: type[msgspec.Struct]) -> dict[str, str]:
    try:
        return dict(_COMMENTED_FIELD.findall(inspect.getsource(cls)))
    except OSError:  # installed without sources: the help is shorter, nothing else changes
        return {}


def _bullets(lines: list[str]) -> list[str]:
    return [f"  * {line}" for line in lines]
