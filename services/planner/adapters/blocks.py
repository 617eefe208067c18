"""Table ``blocks``: what keeps the dispatcher from mailing whom, for questions only."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import msgspec

from contracts.recipient_events import RecipientBlocksChanged
from libs.postgres.types import Connection
from services.planner.adapters.errors import refusals
from services.planner.adapters.plan import affected
from services.planner.adapters.sql import SQL

_decoder = msgspec.json.Decoder(dict[str, str])


async def put_blocks(connection: Connection, told: Sequence[RecipientBlocksChanged]) -> int:
    """Keep the highest revision of each person; return how many were news.

    Raises:
        UnstorableError: a value is out of bounds; nothing was kept.
    """
    highest: dict[UUID, RecipientBlocksChanged] = {}
    for one in sorted(told, key=lambda one: one.revision):
        highest[one.person_id] = one
    with refusals():
        tag = await connection.execute(
            SQL.put_blocks,
            [one.person_id for one in highest.values()],
            [one.revision for one in highest.values()],
            [msgspec.json.encode(one.blocks).decode() for one in highest.values()],
        )
    return affected(tag)


async def find_blocks(connection: Connection, person_id: UUID) -> Mapping[str, str]:
    """Return what blocks the person's mail, by kind; empty where nothing is known to."""
    text: str | None = await connection.fetchval(SQL.find_blocks, person_id)
    return {} if text is None else _decoder.decode(text)
