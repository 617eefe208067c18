"""Forgets remembered answers; here nothing of HTTP is needed."""

from datetime import timedelta
from typing import Final

from libs.httpapi.answers.sql import SQL
from libs.postgres.types import Pool

KEPT: Final = timedelta(days=1)

_FORGOTTEN_BY_UPKEEP: Final = 10_000


async def forget_old_answers(pool: Pool, *, older_than: timedelta = KEPT) -> None:
    """Forget a bounded number of answers begun longer ago, oldest first: they may name somebody.

    Writes forget some as well, but there may be none for long.
    """
    async with pool.acquire() as connection:
        await connection.execute(SQL.forget_old, older_than.total_seconds(), _FORGOTTEN_BY_UPKEEP)
