"""Opens connection pools with the limits every service needs."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, Final

import asyncpg
from asyncpg.connect_utils import SessionAttribute

from libs.postgres.types import Connection, Pool
from libs.resilience import connecting

_READ_ONLY: Final = {"default_transaction_read_only": "on"}


@contextlib.asynccontextmanager
async def open_pool(
    url: str,
    *,
    name: str,
    size: int = 8,
    statement_timeout_s: float = 30.0,
    settings: Mapping[str, str] = MappingProxyType({}),
    is_replica: bool = False,
    admit: Callable[[Connection], Coroutine[Any, Any, None]] | None = None,
) -> AsyncIterator[Pool]:
    """Yield a pool of at most ``size`` connections, waiting for a server that is not up yet.

    The server ends any statement after ``statement_timeout_s`` and any transaction left idle for
    as long; the client gives up two seconds later. ``jit`` is off: its bad guesses cost more than
    it ever gains on our statements. ``settings`` are further settings of the server, such as how
    to plan.

    A pool of a replica is there whether its server is or not: it connects when it is used, only to
    a server that replays another one's log, and writes nothing. ``admit`` sees each new connection
    first and may raise to refuse it.

    Who is given a connection leaves no session state behind: locks, settings and cursors last for a
    transaction at most. So nothing is reset between two uses but a transaction left open.
    """
    pool: Pool = await connecting(
        lambda: asyncpg.create_pool(
            url,
            min_size=0 if is_replica else 1,
            max_size=size,
            init=admit,
            reset=_keep_session,
            timeout=5,
            command_timeout=statement_timeout_s + 2,
            server_settings={
                "application_name": name,
                "jit": "off",
                "statement_timeout": f"{int(statement_timeout_s * 1000)}",
                "lock_timeout": f"{int(statement_timeout_s * 1000)}",
                "idle_in_transaction_session_timeout": f"{int(statement_timeout_s * 1000)}",
                "timezone": "UTC",
                **(_READ_ONLY if is_replica else {}),
                **settings,
            },
            target_session_attrs=SessionAttribute.standby if is_replica else None,
        ),
        to="postgresql",
    )
    try:
        yield pool
    finally:
        await close(pool)


async def _keep_session(_: object) -> None:
    """Spare the server the four statements of a reset, which cost more than most look-ups."""


async def close(pool: Pool, *, timeout_s: float = 5.0) -> None:
    """Close ``pool``; connections still busy after ``timeout_s`` are cut."""
    try:
        async with asyncio.timeout(timeout_s):
            await pool.close()
    except TimeoutError:
        pool.terminate()
