"""Does a write once per idempotency key, however often it is asked for."""

from collections.abc import Awaitable, Callable

from services.user.adapters.appending import KeyTakenError
from services.user.adapters.events import ShreddedError
from services.user.adapters.keys import Remembered, recall_key
from services.user.adapters.metrics import ANSWERS_REPLAYED
from services.user.adapters.reading import get_person_at
from services.user.adapters.store import Origin, Store
from services.user.app.errors import (
    KeyReusedError,
    PersonErasedError,
    PersonNotFoundError,
    TakenError,
    VersionMismatchError,
)
from services.user.app.written import Written

# A request that lost to its own first copy fails with one of these.
_MAY_BE_OWN_COPY = (KeyTakenError, TakenError, VersionMismatchError, PersonNotFoundError)


async def once(store: Store, origin: Origin, write: Callable[[], Awaitable[Written]]) -> Written:
    """Return what ``write`` gives, or gave when its key was first used.

    ``write`` records the key in its own transaction, so an answer that was lost on its way is made
    again from the version that was written then.

    Raises:
        KeyReusedError: the key stands for another request.
        KeyInFlightError: the first request under the key is still under way.
        PersonErasedError: the person the first answer told of was erased since.
    """
    if origin.idempotency_key is None:
        return await write()
    if remembered := await recall_key(store, origin):
        return await _replay(store, origin, remembered)
    try:
        return await write()
    except _MAY_BE_OWN_COPY:
        remembered = await recall_key(store, origin)
        if remembered is None:
            raise
        return await _replay(store, origin, remembered)


async def _replay(store: Store, origin: Origin, remembered: Remembered) -> Written:
    if remembered.request_hash is None:
        raise PersonErasedError(remembered.person_id)
    if remembered.request_hash != origin.request_hash:
        raise KeyReusedError
    try:
        state = await get_person_at(store, remembered.person_id, version=remembered.version)
    except ShreddedError as error:
        raise PersonErasedError(remembered.person_id) from error
    ANSWERS_REPLAYED.add()
    return Written(state, is_replay=True)
