"""The kinds of occasion there are. A new kind is one file beside this one and one line below."""

from contracts.kinds.kind import Cadence, Kind, Promise, Template
from contracts.kinds.registry import kind_in, registry

__all__ = ["KINDS", "Cadence", "Kind", "Promise", "Template", "registry"]

_FILES = (
    "birthday",
    "anniversary",
)

KINDS: dict[str, Kind] = registry(*(kind_in(f"{__name__}.{name}") for name in _FILES))
