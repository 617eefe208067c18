"""What a batch has in common, told once; and that it was refused as a whole."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

Item = TypeVar("Item")


class OpposedError(Exception):
    """Something may speak against what was to be written as a whole; nothing was."""


def cases(
    items: Sequence[Item], case_of: Callable[[Item], tuple[Hashable, ...]]
) -> tuple[list[int], list[list[Any]]]:
    """Return the place, from 1, of each item's case, and the columns of the different cases.

    Whatever thousands of items share is sent to the database, and read by it, once.
    """
    places: dict[tuple[Hashable, ...], int] = {}
    place_of = [places.setdefault(case_of(item), len(places) + 1) for item in items]
    return place_of, [list(column) for column in zip(*places, strict=True)]
