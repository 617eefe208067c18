"""What makes a process of this service unready, with the reason."""

from libs.outbox import oldest_unpublished_s
from libs.runtime.health import Check
from services.user.adapters.store import Store, UnavailableError, connection_of


def database_check(store: Store) -> Check:
    """Return the check that the database answers."""

    async def check() -> str | None:
        try:
            async with connection_of(store) as connection:
                await connection.fetchval("SELECT 1")
        except UnavailableError as error:
            return f"the database does not answer: {error}"
        return None

    return check


def outbox_check(store: Store, *, age_max_s: float) -> Check:
    """Return the check that events are published in time."""

    async def check() -> str | None:
        try:
            async with connection_of(store) as connection:
                age_s = await oldest_unpublished_s(connection)
        except UnavailableError as error:
            return f"the database does not answer: {error}"
        if age_s > age_max_s:
            return f"the oldest unpublished event has waited {age_s:.0f} s"
        return None

    return check
