"""Reads events of older releases: a stored form is lifted to the next, never rewritten."""

from collections.abc import Callable
from typing import Any

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Upcasts:
    """The steps from older forms of events to the present one.

    A stored event says the type it was written as, such as ``user.changed.v1``; a step registered
    for that type returns the type and the data that follow it.
    """

    def __init__(self, steps: dict[str, tuple[str, Upcast]] | None = None) -> None:
        self._steps = dict(steps or {})

    def lift(self, type_name: str, data: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        """Return ``data`` and its type as the present release writes them."""
        while step := self._steps.get(type_name):
            type_name, upcast = step
            data = upcast(data)
        return type_name, data
