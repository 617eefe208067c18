"""Keeps contacts up to date with what the user service tells."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from contracts.envelope import Event
from libs.postgres.types import Pool
from libs.resilience import repeating
from services.dispatcher.adapters import contacts
from services.dispatcher.adapters.metrics import CONTACTS_PROJECTED
from services.dispatcher.app.take_batch import HELD_S
from services.dispatcher.domain.contact import Contact, contact_from


async def project_contacts(pool: Pool, events: Sequence[Event[Any]]) -> None:
    """Take in user events: of each person the highest version wins, whatever the order.

    Raises:
        RefusedValuesError: a value cannot be stored; nothing of the batch was.
    """
    newest = _newest([contact_from(event.type, event.data) for event in events])
    if newest:
        await repeating(lambda: _write(pool, newest), within_s=HELD_S)
    CONTACTS_PROJECTED.add(len(events))


async def _write(pool: Pool, newest: Sequence[Contact]) -> None:
    async with pool.acquire() as connection:
        await contacts.project_contacts(connection, newest)


def _newest(told: Sequence[Contact]) -> list[Contact]:
    by_person: dict[UUID, Contact] = {}
    for contact in told:
        known = by_person.get(contact.person_id)
        if known is None or contact.version > known.version:
            by_person[contact.person_id] = contact
    return list(by_person.values())
