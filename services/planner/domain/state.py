"""What can have become of an occurrence in the plan."""

from typing import Literal

State = Literal[
    "waiting",
    "released",
    "deferred",
    "accepted",
    "refused",
    "unknown",
    "suppressed",
    "expired",
    "cancelled",
]
PENDING: tuple[State, ...] = ("waiting", "released", "deferred")
"""Nothing has been decided yet: the account's ``pending``."""
