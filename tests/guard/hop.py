"""One hop of a greeting's way, as something that takes a batch at a time."""

import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
from uuid import UUID

import msgspec

from contracts import codec
from contracts.envelope import Event
from libs.broker import Delivery
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from tests.support.databases import fresh_database

MESSAGE = 500
"""Items of a message."""
WARMING, COUNTED, TIMED = 3, 3, 20
BATCHES = WARMING + COUNTED + TIMED
"""Every hop takes so many: at first to warm up, then to be counted, then to be timed."""

Work = Callable[[], Awaitable[None]]
"""Takes one batch through the hop; only this is measured."""


class Hop(msgspec.Struct, frozen=True):
    """``prepare`` makes everything ready for the batch of a number and returns the work.

    ``pool`` has one connection, on which all of the work is done.
    """

    name: str
    items: int
    pool: Pool
    prepare: Callable[[int], Awaitable[Work]]


@contextlib.asynccontextmanager
async def a_database(
    pg_url: str, *packages: str, settings: Mapping[str, str] = MappingProxyType({})
) -> AsyncIterator[Pool]:
    """Yield a pool of one connection on a database of its own."""
    async with (
        fresh_database(pg_url, *packages) as url,
        open_pool(
            url, name="guard", size=1, settings={"synchronous_commit": "off", **settings}
        ) as pool,
    ):
        yield pool


_STILL = """
DO $$
DECLARE
    one regclass;
BEGIN
    FOR one IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', one);
    END LOOP;
END
$$
"""


async def keep_still(pool: Pool) -> None:
    """Have the server look after no table by itself: it would do so at another moment each run."""
    await pool.execute(_STILL)
    await pool.execute("ANALYZE")


def an_id(what: str, number: int) -> UUID:
    """Return the same id in every run, scattered as real ones are not: the dearer case."""
    return UUID(bytes=hashlib.md5(f"{what} {number}".encode(), usedforsecurity=False).digest())


def message_of(number: int, events: Sequence[Event[Any]]) -> Delivery:
    return Delivery(
        queue="guard",
        type_name=events[0].type,
        body=codec.encode(events),
        message_id=str(number),
        is_redelivered=False,
    )


def expect(found: int | None, wanted: int) -> None:
    if found != wanted:
        raise RuntimeError(f"{found} where {wanted} were expected")
