"""Forgets what has served: idempotency keys, and people deleted too long ago to come back."""

from datetime import datetime, timedelta

from services.user.adapters.keys import prune_keys
from services.user.adapters.reading import list_deleted
from services.user.adapters.store import Origin, Store
from services.user.app.deciding import write
from services.user.app.errors import PersonNotFoundError
from services.user.domain.person import Change, Person, erase_person, is_restorable

_KEYS_PER_STEP = 1000
_PEOPLE_PER_STEP = 100
_UPKEEP = Origin(caller="retention")


async def forget_old_keys(store: Store, *, older_than: timedelta) -> bool:
    """Forget a bounded number of old idempotency keys; True when there may be more."""
    return await prune_keys(store, older_than=older_than, limit=_KEYS_PER_STEP) == _KEYS_PER_STEP


async def erase_unrestorable(store: Store, *, retention: timedelta, now: datetime) -> int:
    """Erase up to a hundred people deleted longer than ``retention`` ago; return how many.

    Each is decided anew from their present state, in a transaction of their own: whoever was
    restored meanwhile stays, and a copy of this is harmless.
    """

    def decide(person: Person) -> Change | None:
        if person.deleted_at is None or is_restorable(person.deleted_at, now, retention=retention):
            return None
        return erase_person(person)

    people = await list_deleted(store, before=now - retention, limit=_PEOPLE_PER_STEP)
    erased = 0
    for person_id in people:
        try:
            written = await write(store, person_id, decide, origin=_UPKEEP, now=now)
        except PersonNotFoundError:
            continue
        erased += not isinstance(written.state, Person)
    return erased
