"""What keeps mail from people, as one number of revisions per person tells it to the world."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from contracts.recipient_events import RecipientBlocksChanged
from libs import outbox
from libs.postgres.types import Connection, Record
from services.dispatcher.adapters.messages import blocks_messages
from services.dispatcher.adapters.sql import SQL

_read = msgspec.json.Decoder(dict[str, str]).decode


async def tell_blocks(connection: Connection, people: Sequence[UUID], *, now: datetime) -> None:
    """Publish what keeps mail from ``people`` by now, where it is not what was told last.

    In the caller's transaction, which has changed it and has locked their contacts.
    """
    changed = [_blocks(row) for row in await connection.fetch(SQL.change_blocks, people)]
    await outbox.put(connection, blocks_messages(changed, now=now))


async def tell_blocks_again(
    connection: Connection, *, after: UUID, limit: int, now: datetime
) -> UUID | None:
    """Publish up to ``limit`` blocks that follow ``after`` as if they were new.

    Returns the last one's person, None where none follows.
    """
    rows = await connection.fetch(SQL.raise_revisions, after, limit)
    again = [_blocks(row) for row in rows]
    await outbox.put(connection, blocks_messages(again, now=now))
    return max((one.person_id for one in again), default=None)


async def find_blocks(connection: Connection, person_id: UUID) -> RecipientBlocksChanged | None:
    """Return what keeps mail from a person; None where nothing ever did."""
    row = await connection.fetchrow(SQL.find_blocks, person_id)
    return _blocks(row) if row else None


def _blocks(row: Record) -> RecipientBlocksChanged:
    return RecipientBlocksChanged(
        person_id=row["person_id"], revision=row["revision"], blocks=_read(row["blocks"])
    )
