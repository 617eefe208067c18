"""The contacts table: the dispatcher's own copy of whom to greet where."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from libs.postgres.types import Connection
from services.dispatcher.adapters.refusals import refusing_bad_values
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.contact import Contact
from services.dispatcher.domain.delivery import Recipient


async def project_contacts(connection: Connection, contacts: Sequence[Contact]) -> None:
    """Keep each contact that is newer than what is there; no person twice in ``contacts``.

    Raises:
        RefusedValuesError: a value cannot be stored.
    """
    with refusing_bad_values():
        await connection.execute(SQL.project_contacts, *_columns(contacts))


async def rewrite_contacts(
    connection: Connection, contacts: Sequence[Contact], *, overruled: Collection[UUID]
) -> None:
    """Keep each contact unless a higher version is there, which is not to count if ``overruled``.

    No person twice in ``contacts``.

    Raises:
        RefusedValuesError: a value cannot be stored.
    """
    with refusing_bad_values():
        await connection.execute(SQL.rewrite_contacts, *_columns(contacts), list(overruled))


async def note_doubtful(connection: Connection) -> None:
    """Note the versions held here that the log, as far as it was read, does not explain."""
    await connection.execute(SQL.note_doubtful)


async def remove_contacts(connection: Connection, held: Mapping[UUID, int]) -> None:
    """Remove contacts while each is at the version ``held``."""
    await connection.execute(SQL.remove_contacts, list(held), list(held.values()))


async def forget_people(
    connection: Connection, *, left: Sequence[UUID], erased: Sequence[UUID]
) -> None:
    """Forget what is kept beside the contacts of people who left; ``erased`` is a part of them."""
    if left:
        await connection.execute(SQL.forget_people, left, erased)


async def drop_former_contacts(connection: Connection, *, older_than_s: float, limit: int) -> int:
    """Forget contacts that were replaced so many real seconds ago; return how many were."""
    dropped: int = await connection.fetchval(SQL.drop_former_contacts, older_than_s, limit)
    return dropped


async def find_recipient(connection: Connection, person_id: UUID) -> Recipient | None:
    """Return to whom a mail to this person goes; None for nobody and for those who left."""
    row = await connection.fetchrow(SQL.find_contact, person_id)
    if row is None:
        return None
    return Recipient(row["email"], row["first_name"], row["last_name"], row["locale"])


def _columns(contacts: Sequence[Contact]) -> tuple[list[Any], ...]:
    return (
        [contact.person_id for contact in contacts],
        [contact.version for contact in contacts],
        [contact.schedule_version for contact in contacts],
        [contact.state for contact in contacts],
        [contact.email for contact in contacts],
        [contact.address for contact in contacts],
        [contact.first_name for contact in contacts],
        [contact.last_name for contact in contacts],
        [contact.locale for contact in contacts],
        [",".join(contact.opt_outs) for contact in contacts],
    )
