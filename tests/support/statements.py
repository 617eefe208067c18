"""Which statements are run on the one connection of a pool."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from asyncpg.connection import LoggedQuery

from libs.postgres.types import Pool


@asynccontextmanager
async def statements_of(pool: Pool) -> AsyncIterator[list[str]]:
    """Yield a list that grows by every statement run on ``pool``, which has one connection."""
    assert pool.get_max_size() == 1
    statements: list[str] = []

    def note(query: LoggedQuery) -> None:
        statements.append(query.query)

    async with pool.acquire() as connection:
        connection.add_query_logger(note)
    try:
        yield statements
    finally:
        async with pool.acquire() as connection:
            connection.remove_query_logger(note)
