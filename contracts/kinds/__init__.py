"""The kinds of occasion there are. A new kind is one file beside this one and one line below."""

from contracts.kinds.anniversary import ANNIVERSARY
from contracts.kinds.birthday import BIRTHDAY
from contracts.kinds.kind import Cadence, Kind, Promise, Template
from contracts.kinds.registry import registry

__all__ = ["KINDS", "Cadence", "Kind", "Promise", "Template", "registry"]

KINDS: dict[str, Kind] = registry(
    BIRTHDAY,
    ANNIVERSARY,
)
