"""How long providers asked to be left alone, shared by all dispatchers."""

from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL


async def pause_provider(connection: Connection, provider: str, *, pause_s: float) -> None:
    """Leave ``provider`` alone for ``pause_s`` real seconds from now, at least."""
    await connection.execute(SQL.pause_provider, provider, pause_s)


async def read_pause_left_s(connection: Connection, provider: str) -> float:
    """Return the real seconds for which ``provider`` is still to be left alone; 0 for none."""
    left_s: float | None = await connection.fetchval(SQL.read_pause_left, provider)
    return left_s or 0.0
