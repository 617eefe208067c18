"""Who does not want a kind any more, by the link in a mail of it."""

from datetime import datetime
from uuid import UUID

from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.contact import ContactState
from services.dispatcher.domain.unsubscribing import Unsubscribing


async def lock_contact(connection: Connection, person_id: UUID) -> ContactState | None:
    """Lock a person's contact for the caller's transaction and return its state, if there is one.

    Claims do not wait for it.
    """
    state: ContactState | None = await connection.fetchval(SQL.lock_contact, person_id)
    return state


async def put_unsubscribe(connection: Connection, asked: Unsubscribing, *, now: datetime) -> bool:
    """Note that a person does not want a kind; tell whether that is new."""
    noted = await connection.fetchval(SQL.put_unsubscribe, asked.person_id, asked.kind, now)
    return noted is not None


async def delete_unsubscribe(connection: Connection, asked: Unsubscribing) -> bool:
    """Let a person have a kind again; tell whether it was unsubscribed."""
    there = await connection.fetchval(SQL.delete_unsubscribe, asked.person_id, asked.kind)
    return there is not None
