"""What the database refuses to keep, in our words."""

import contextlib
from collections.abc import Iterator

import asyncpg


class UnstorableError(Exception):
    """A value breaks a constraint or a type's bounds: trying again cannot help."""


@contextlib.contextmanager
def refusals() -> Iterator[None]:
    """Translate the driver's words for a value that can never be stored.

    Raises:
        UnstorableError: the block met one.
    """
    try:
        yield
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError) as error:
        raise UnstorableError(type(error).__name__) from error
