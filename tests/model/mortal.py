"""Database connections of a process that dies at a chosen statement."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from libs.postgres.types import Pool


class ProcessDied(BaseException):
    """The process is no more: nothing after this line of it happens."""


class Fate:
    """When the process at work dies: before or after its n-th statement from now, or not."""

    def __init__(self) -> None:
        self._statements_left: int | None = None
        self._is_after = False

    def die_at(self, statement: int, *, is_after: bool) -> None:
        """Die at that statement, counted from 0; ``is_after``: once the server has done it."""
        self._statements_left = statement
        self._is_after = is_after

    def spare(self) -> None:
        """Let the process live."""
        self._statements_left = None

    def is_due(self, *, is_after: bool) -> bool:
        """Count a statement (before it) and tell whether the process dies at this moment."""
        if self._statements_left is None:
            return False
        if self._statements_left == 0 and is_after == self._is_after:
            self._statements_left = None
            return True
        if is_after:
            self._statements_left -= 1
        return False


def _mortal(fate: Fate) -> Any:
    class Mortal(asyncpg.Connection):
        def get_reset_query(self) -> str:
            """Nothing to reset: the services keep no state in their sessions."""
            return ""

        async def execute(self, query: str, *args: Any, timeout: float | None = None) -> str:
            if args or query.startswith("ROLLBACK"):
                status: str = await super().execute(query, *args, timeout=timeout)
                return status
            if fate.is_due(is_after=False):
                if self.is_in_transaction():
                    await super().execute("ROLLBACK")
                raise ProcessDied
            status = await super().execute(query, timeout=timeout)
            if fate.is_due(is_after=True):
                raise ProcessDied
            return status

        async def _execute(self, *args: Any, **options: Any) -> Any:
            if fate.is_due(is_after=False):
                raise ProcessDied
            answer = await super()._execute(*args, **options)  # type: ignore[misc]
            if fate.is_due(is_after=True):
                raise ProcessDied
            return answer

    return Mortal


@asynccontextmanager
async def open_mortal_pool(
    url: str, fate: Fate, *, settings: dict[str, str] | None = None
) -> AsyncIterator[Pool]:
    """Yield a pool whose processes have ``fate``; nothing has to survive the server, for speed."""
    pool = await asyncpg.create_pool(
        url,
        min_size=1,
        max_size=4,
        connection_class=_mortal(fate),
        server_settings={
            "jit": "off",
            "timezone": "UTC",
            "synchronous_commit": "off",
            **(settings or {}),
        },
    )
    try:
        yield pool
    finally:
        await pool.close()
