"""What a batch has in common, told once; and that it was refused as a whole."""

from collections.abc import Hashable, Iterable
from typing import Any


class OpposedError(Exception):
    """Something may speak against what was to be written as a whole; nothing was."""


def cases(of_items: Iterable[tuple[Hashable, ...]]) -> tuple[list[int], list[list[Any]]]:
    """Return the place, from 1, of each item's case, and the columns of the different cases.

    Whatever thousands of items share is sent to the database, and read by it, once.
    """
    listed = list(of_items)
    places = {case: place for place, case in enumerate(dict.fromkeys(listed), start=1)}
    return [places[case] for case in listed], [list(column) for column in zip(*places, strict=True)]
