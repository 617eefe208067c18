"""Asks a question of the replica where the caller takes a slightly old answer, else of the primary.

For questions only: whatever decides about a write reads the primary, in ``app``'s other files.
"""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from libs.postgres.replica import READS, Replica
from services.user.adapters.events import ShreddedError
from services.user.adapters.store import Store, UnavailableError
from services.user.app.errors import PersonErasedError, PersonNotFoundError

T = TypeVar("T")

_REFUSALS = (PersonNotFoundError, PersonErasedError, ShreddedError)


class Reader:
    """The database of a store, and a replica of it where there is one."""

    def __init__(self, store: Store, replica: Replica | None = None) -> None:
        self._primary = store
        self._replica = replica
        self._copy = store if replica is None else Store(replica.pool, store.keys)

    async def ask(
        self,
        question: Callable[[Store], Awaitable[T]],
        *,
        lag_s: float,
        suffices: Callable[[T], bool] | None = None,
    ) -> T:
        """Return the answer to ``question``, which may be up to ``lag_s`` old, 0 being as of now.

        A fault of the replica costs no request: the primary is asked in the same call, as it is
        where an answer does not suffice. A refusal is the primary's word as well: nobody is told
        that a person is not there who was registered a moment ago.
        """
        replica = self._replica
        if replica is None:
            return await question(self._primary)
        if not (lag_s and replica.may_answer(lag_s)):
            READS.add(source="primary")
            return await question(self._primary)
        answer = await self._ask_copy(replica, question)
        if answer is not None and (suffices is None or suffices(answer)):
            READS.add(source="replica")
            return answer
        READS.add(source="both")
        return await question(self._primary)

    async def _ask_copy(
        self, replica: Replica, question: Callable[[Store], Awaitable[T]]
    ) -> T | None:
        """Return the replica's answer, None where it has none that can be told."""
        try:
            return await question(self._copy)
        except _REFUSALS:
            return None
        except UnavailableError:
            replica.note_broken()
            return None
