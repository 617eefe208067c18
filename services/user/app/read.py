"""Answers questions about people."""

from datetime import datetime
from uuid import UUID

import msgspec

from services.user.adapters import reading
from services.user.adapters.reading import Filter, HistoryEntry
from services.user.adapters.store import Store
from services.user.app.errors import PersonErasedError, PersonNotFoundError
from services.user.domain.person import Person, Tombstone


class Page(msgspec.Struct, frozen=True):
    """Some people, in the order of their ids; ``next_after`` is None on the last page."""

    people: list[Person]
    next_after: UUID | None


class History(msgspec.Struct, frozen=True):
    """Some events of a person, oldest first; ``next_after`` is None on the last page."""

    entries: list[HistoryEntry]
    next_after: int | None


async def get_living(store: Store, person_id: UUID) -> Person:
    """Return the living person.

    Raises:
        PersonNotFoundError: nobody bears the id, or they were deleted or erased.
    """
    found = await reading.find_person(store, person_id)
    if found is None or isinstance(found, Tombstone) or found.person.status != "active":
        raise PersonNotFoundError(person_id)
    return found.person


async def get_as_of(store: Store, person_id: UUID, *, at: datetime) -> Person:
    """Return the person as they were at an instant, if they lived then.

    Raises:
        PersonNotFoundError: nobody bore the id then, or they were deleted.
        PersonErasedError: the person was erased since.
    """
    found = await reading.find_person_as_of(store, person_id, at=at)
    if isinstance(found, Tombstone):
        raise PersonErasedError(person_id)
    if found is None or found.status != "active":
        raise PersonNotFoundError(person_id)
    return found


async def list_living(store: Store, wanted: Filter, *, after: UUID | None, limit: int) -> Page:
    """Return up to ``limit`` living people after the id ``after``.

    Walking the pages meets everyone who lives throughout exactly once, whatever changes meanwhile.
    """
    people = await reading.list_people(store, wanted, after=after, limit=limit + 1)
    has_more = len(people) > limit
    page = people[:limit]
    return Page(page, page[-1].id if has_more else None)


async def get_history(
    store: Store,
    person_id: UUID,
    *,
    after_version: int,
    limit: int,
    until: datetime | None = None,
) -> History:
    """Return up to ``limit`` events of a person; of an erased one only that they happened.

    ``until`` leaves out what was recorded later.

    Raises:
        PersonNotFoundError: nobody ever bore the id.
    """
    found = await reading.find_person(store, person_id)
    if found is None:
        raise PersonNotFoundError(person_id)
    entries = await reading.list_history(
        store, person_id, after_version=after_version, limit=limit + 1, until=until
    )
    page = entries[:limit]
    next_after = page[-1].version if len(entries) > limit else None
    if isinstance(found, Tombstone):
        page = [msgspec.structs.replace(entry, changed=(), caller=None) for entry in page]
    return History(page, next_after)
