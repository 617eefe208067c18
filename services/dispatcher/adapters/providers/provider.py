"""The door to the outside: what every mail provider can do."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from services.dispatcher.domain.delivery import Result
from services.dispatcher.domain.greeting import Mail


class Traits(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider guarantees.

    ``timeout_s`` is the longest one call may last. ``can_find`` says that it can be asked what
    became of a mail, and ``lookup_delay_s`` how long after taking a mail it may still not show it.
    For ``keys_live_s`` real seconds it takes no second mail of one occurrence, however often it is
    sent; 0 where it knows no idempotency keys.
    """

    name: str
    timeout_s: float
    can_find: bool
    lookup_delay_s: float = 0.0
    keys_live_s: float = 0.0


class Found(msgspec.Struct, frozen=True):
    """The provider has the mail, under this id."""

    message_id: str


class Missing(msgspec.Struct, frozen=True):
    """The provider does not have the mail."""


class FindError(Exception):
    """The provider could not be asked, or its answer could not be read; ask again later."""


class Provider(Protocol):
    """A mail provider."""

    @property
    def traits(self) -> Traits: ...

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        """Send each mail at most once and return each one's result, in the same order.

        A call to the provider that could not start before ``start_before_s`` (monotonic seconds)
        is not made: those mails come back as deferred, ``lease_short``. Only what certainly was
        not sent may come back as deferred or refused; whatever else went wrong is unknown.
        """
        ...

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        """Ask what became of the mail of ``occurrence``, sent as ``message_id``.

        Only to be called where the traits say ``can_find``.

        Raises:
            FindError: there is no answer.
        """
        ...

    async def close(self) -> None:
        """Give connections back."""
        ...
