"""A contact: what the dispatcher knows about a person."""

from typing import Literal
from uuid import UUID

import msgspec

from contracts import user_events
from contracts.user_events import Person, UserErased
from services.dispatcher.domain.address import normal_address

ContactState = Literal["active", "deleted", "erased"]


class Contact(msgspec.Struct, frozen=True, kw_only=True):
    """One person as of ``version``. Only an active one has an address and a name.

    ``address`` is the normal form of ``email``, by which suppressions are found.
    """

    person_id: UUID
    version: int
    schedule_version: int
    state: ContactState
    email: str | None = None
    address: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    locale: str | None = None
    opt_outs: tuple[str, ...] = ()


def contact_from(type_name: str, person: Person | UserErased) -> Contact:
    """Return the contact that an event of the type ``type_name`` leaves behind.

    Of deleted and erased people only a tombstone remains.
    """
    if isinstance(person, UserErased):
        return _tombstone(person, "erased")
    if type_name == user_events.USER_DELETED:
        return _tombstone(person, "deleted")
    return Contact(
        person_id=person.id,
        version=person.version,
        schedule_version=person.schedule_version,
        state="active",
        email=person.email,
        address=normal_address(person.email),
        first_name=person.first_name,
        last_name=person.last_name,
        locale=person.locale,
        opt_outs=person.opt_outs,
    )


def _tombstone(person: Person | UserErased, state: ContactState) -> Contact:
    return Contact(
        person_id=person.id,
        version=person.version,
        schedule_version=person.schedule_version,
        state=state,
    )
