"""Deletes, restores and erases a person."""

from datetime import datetime, timedelta
from uuid import UUID

from services.user.adapters.reading import find_person
from services.user.adapters.store import Origin, Store
from services.user.app.deciding import Decision, write
from services.user.app.errors import (
    PersonErasedError,
    PersonNotFoundError,
    RetentionOverError,
)
from services.user.app.once import once
from services.user.app.written import Written
from services.user.domain.person import (
    Change,
    Person,
    RetentionOver,
    Tombstone,
    delete_person,
    erase_person,
    restore_person,
)


async def delete(
    store: Store,
    person_id: UUID,
    *,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Delete a living person; until the retention time is over they can be restored.

    Raises: what ``write`` and ``once`` raise.
    """

    def decide(person: Person) -> Change:
        if person.status != "active":
            raise PersonNotFoundError(person.id)
        return delete_person(person, now)

    return await _once(store, person_id, decide, origin=origin, now=now, if_match=if_match)


async def restore(
    store: Store,
    person_id: UUID,
    *,
    retention: timedelta,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Restore a deleted person; a living one stays as they are.

    Raises:
        PersonErasedError: there is nobody left to restore.
        RetentionOverError: deleted longer than ``retention`` ago.
        TakenError: somebody else bears the address or the external id now.
        and what ``write`` and ``once`` raise.
    """

    def decide(person: Person) -> Change | None:
        decision = restore_person(person, now, retention=retention)
        if isinstance(decision, RetentionOver):
            raise RetentionOverError(decision.deleted_at)
        return decision

    try:
        return await _once(store, person_id, decide, origin=origin, now=now, if_match=if_match)
    except PersonNotFoundError:
        if isinstance(await find_person(store, person_id), Tombstone):
            raise PersonErasedError(person_id) from None
        raise


async def erase(
    store: Store,
    person_id: UUID,
    *,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None = None,
) -> Written:
    """Erase a living or deleted person for ever: nobody can read their events any more.

    Raises: what ``write`` and ``once`` raise.
    """
    return await _once(store, person_id, erase_person, origin=origin, now=now, if_match=if_match)


async def _once(
    store: Store,
    person_id: UUID,
    decide: Decision,
    *,
    origin: Origin,
    now: datetime,
    if_match: frozenset[int] | None,
) -> Written:
    return await once(
        store,
        origin,
        lambda: write(store, person_id, decide, origin=origin, now=now, if_match=if_match),
    )
