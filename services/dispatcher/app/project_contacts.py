"""Keeps contacts up to date with what the user service tells."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from libs.postgres.types import Pool
from libs.resilience import repeating
from services.dispatcher.adapters import contacts
from services.dispatcher.adapters.blocks import tell_blocks
from services.dispatcher.adapters.metrics import CONTACTS_PROJECTED
from services.dispatcher.adapters.set_aside import forget_people
from services.dispatcher.adapters.suppressions import share_suppressions
from services.dispatcher.app.take_batch import HELD_S
from services.dispatcher.domain.contact import Contact, contact_from


async def project_contacts(pool: Pool, events: Sequence[Event[Any]]) -> None:
    """Take in user events: of each person the highest version wins, whatever the order.

    Where other things keep mail from a person than before, because he moved to or from a
    suppressed address, that is told in the same transaction.

    Raises:
        RefusedValuesError: a value cannot be stored; nothing of the batch was.
    """
    newest = _newest([contact_from(event.type, event.data) for event in events])
    if newest:
        told_at = max(event.time for event in events)
        await repeating(lambda: _write(pool, newest, told_at), within_s=HELD_S)
    CONTACTS_PROJECTED.add(len(events))


async def _write(pool: Pool, newest: Sequence[Contact], told_at: datetime) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await share_suppressions(connection)
        await contacts.project_contacts(connection, newest)
        await contacts.forget_people(
            connection,
            left=[one.person_id for one in newest if one.state != "active"],
            erased=[one.person_id for one in newest if one.state == "erased"],
        )
        await forget_people(connection, [one.person_id for one in newest if one.state == "erased"])
        await tell_blocks(connection, [one.person_id for one in newest], now=told_at)


def _newest(told: Sequence[Contact]) -> list[Contact]:
    by_person: dict[UUID, Contact] = {}
    for contact in told:
        known = by_person.get(contact.person_id)
        if known is None or contact.version > known.version:
            by_person[contact.person_id] = contact
    return list(by_person.values())
