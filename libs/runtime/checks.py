"""Health checks that any process with a database or a broker needs."""

from typing import Protocol

from libs.postgres.types import Pool
from libs.runtime.health import Check


class Reachable(Protocol):
    """A broker that can be asked whether it answers."""

    async def is_reachable(self) -> bool:
        """Tell whether it answers."""
        ...


def database_check(pool: Pool) -> Check:
    """Return the check that PostgreSQL answers."""

    async def check() -> str | None:
        answer = await pool.fetchval("SELECT 1")
        return None if answer == 1 else "the database does not answer"

    return check


def broker_check(broker: Reachable) -> Check:
    """Return the check that RabbitMQ answers."""

    async def check() -> str | None:
        return None if await broker.is_reachable() else "the broker does not answer"

    return check
