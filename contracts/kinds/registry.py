"""Builds the table of kinds and refuses a wrong one at start."""

import re
from importlib import import_module
from typing import get_args

from contracts.kinds.kind import Cadence, DateField, Kind, Promise

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")


class KindError(Exception):
    """A kind is described wrongly; the text says which and what to mend."""


def registry(*kinds: Kind) -> dict[str, Kind]:
    """Return ``kinds`` by name.

    Raises:
        KindError: a name is malformed or given twice, a value is none of those allowed, the late
            limit is not positive, or the English texts are missing or empty.
    """
    by_name: dict[str, Kind] = {}
    for kind in kinds:
        if known := by_name.get(kind.name):
            raise KindError(f"kind {kind.name!r} is registered twice: {known!r} and {kind!r}")
        _check(kind)
        by_name[kind.name] = kind
    return by_name


def kind_in(module: str) -> Kind:
    """Return the kind that ``module`` describes.

    Raises:
        KindError: there is none in it, or more than one.
    """
    values = vars(import_module(module)).values()
    found = [value for value in values if isinstance(value, Kind)]
    if len(found) != 1:
        raise KindError(f"{module} must describe one kind, not {len(found)}")
    return found[0]


def _check(kind: Kind) -> None:
    if not _NAME.fullmatch(kind.name):
        raise KindError(f"kind name {kind.name!r} must match {_NAME.pattern}")
    for what, value, known in (
        ("date", kind.date_field, get_args(DateField)),
        ("cadence", kind.cadence, get_args(Cadence)),
        ("promise", kind.promise, get_args(Promise)),
    ):
        if value not in known:
            raise KindError(f"kind {kind.name!r} has no {what} {value!r}: use {', '.join(known)}")
    if kind.late_limit.total_seconds() <= 0:
        raise KindError(f"kind {kind.name!r} needs a positive late limit")
    if "en" not in kind.templates:
        raise KindError(f"kind {kind.name!r} needs English texts (templates['en'])")
    for language, template in kind.templates.items():
        if not (template.subject.strip() and template.text.strip() and template.html.strip()):
            raise KindError(f"kind {kind.name!r} has an empty text in {language!r}")
