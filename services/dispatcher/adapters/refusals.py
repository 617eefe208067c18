"""Tells a message that can never be stored from a database that is away."""

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg


class RefusedValuesError(Exception):
    """The database refuses what a message says, and will do so every time."""

    def __init__(self, cause: str) -> None:
        super().__init__(f"the database refuses a value: {cause}")
        self.cause = cause


@contextmanager
def refusing_bad_values() -> Iterator[None]:
    """Translate what the database says about values of a message.

    Raises:
        RefusedValuesError: a value is out of range, breaks a constraint or has no partition.
    """
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise RefusedValuesError(type(error).__name__) from error
