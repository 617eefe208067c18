"""Hands out everybody, page by page, and everything about one person."""

import functools
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import msgspec

from services.user.adapters import reading
from services.user.adapters.keys import KeptKey, list_keys_of
from services.user.adapters.reading import Filter, WholeEvent
from services.user.adapters.store import Store
from services.user.app.errors import PersonErasedError, PersonNotFoundError
from services.user.app.reader import Reader
from services.user.domain.person import Person, Tombstone

PAGE = 1000
EVENTS_AT_ONCE = 200
KEYS_MAX = 1000
_EVERYBODY = Filter()


class Kept(msgspec.Struct, frozen=True):
    """What is kept about a person beside their events."""

    person: Person
    keys: list[KeptKey]


async def everybody(
    reader: Reader, *, after: UUID | None, lag_s: float = 0, page: int = PAGE
) -> AsyncIterator[list[Person]]:
    """Yield all living people after the id ``after``, in the order of their ids, in pages.

    Each is as of the read of its page; a page is one short statement, so an export of any length
    holds nothing open. Whoever lives throughout appears once. ``lag_s``: as of ``Reader``.
    """
    is_last = False
    while not is_last:
        people = await reader.ask(
            functools.partial(reading.list_people, wanted=_EVERYBODY, after=after, limit=page),
            lag_s=lag_s,
        )
        if people:
            yield people
            after = people[-1].id
        is_last = len(people) < page


async def get_kept(store: Store, person_id: UUID) -> Kept:
    """Return what is kept about a living or deleted person.

    Raises:
        PersonNotFoundError: nobody ever bore the id.
        PersonErasedError: nothing is kept any more.
    """
    found = await reading.find_person(store, person_id)
    if found is None:
        raise PersonNotFoundError(person_id)
    if isinstance(found, Tombstone):
        raise PersonErasedError(person_id)
    return Kept(found.person, await list_keys_of(store, person_id, limit=KEYS_MAX))


async def events_of(
    reader: Reader, person_id: UUID, *, upto: int, lag_s: float = 0, page: int = EVENTS_AT_ONCE
) -> AsyncIterator[list[WholeEvent]]:
    """Yield the events of a person up to version ``upto``, unsealed, oldest first, in pages.

    Raises:
        ShreddedError: the person was erased meanwhile.
    """
    after = 0
    while after < upto:
        limit = min(page, upto - after)
        yield await reader.ask(
            functools.partial(
                reading.list_whole_events, person_id=person_id, after_version=after, limit=limit
            ),
            lag_s=lag_s,
            suffices=functools.partial(_is_whole, wanted=limit),
        )
        after += limit


def _is_whole(events: Sequence[WholeEvent], wanted: int) -> bool:
    """Tell whether all events are there; the head of the export may have come from the primary."""
    return len(events) == wanted
