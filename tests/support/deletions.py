"""How long after somebody is deleted the dispatcher knows: no claim made later mails them."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg

from libs.clock import monotonic_s
from tests.support.town import Town

_LOOK_EVERY_S = 0.002


async def deletion_delays_s(town: Town, people: Sequence[str]) -> list[float]:
    """Delete ``people`` one by one; return, in order of length, how long each was still a contact.

    Counted from before the request is sent, so the time to the commit is in it.
    """
    connection = await asyncpg.connect(town.env["DISPATCHER_DATABASE_URL"])
    try:
        return sorted([await _delay_s(town, connection, one) for one in people])
    finally:
        await connection.close()


def percentile(ordered: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of the ``ordered`` ones do not exceed."""
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


async def _delay_s(
    town: Town, connection: "asyncpg.Connection[asyncpg.Record]", person_id: str
) -> float:
    started_s = monotonic_s()
    await town.delete(person_id)
    while True:
        if await connection.fetchval(_STATE, UUID(person_id)) == "deleted":
            return monotonic_s() - started_s
        await asyncio.sleep(_LOOK_EVERY_S)


_STATE = "SELECT state FROM contacts WHERE person_id = $1"
