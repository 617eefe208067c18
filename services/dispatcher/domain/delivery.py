"""The words for one delivery: what was claimed, how a provider answers, what is recorded."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from contracts.dispatch import DispatchRequested
from libs.ids import occurrence_key

EventType = Literal["attempted", "accepted", "refused", "deferred", "unknown", "suppressed"]

RETURNED_REASONS = frozenset({
    "early", "expired", "contact_behind", "schedule_changed", "kind_unknown", "unavailable",
    "paused", "cancelled",
})  # fmt: skip
SUPPRESSED_REASONS = frozenset(
    {"user_removed", "opted_out", "unsubscribed", "address_suppressed", "already_greeted"}
)

CLAIM, OUTCOME, SETTLEMENT = 0, 1, 2
"""The steps of an attempt, as recorded."""

_LONGEST_ID = 200
_GREATEST_ANSWER = 99_999

CALL_RESERVE_S = 0.5
"""Real seconds of a lease that no call may touch: the outcome is recorded in them."""

NOT_THE_PROVIDERS_FAULT = frozenset({"rate_limited", "try_later", "lease_short"})


class Accepted(msgspec.Struct, frozen=True, gc=False):
    """The provider took the mail under this id.

    ``retry_after_s`` is how long it wants peace now, if it said so.
    """

    message_id: str
    retry_after_s: float | None = None


class Refused(msgspec.Struct, frozen=True, gc=False):
    """The provider will never take this mail. ``answer`` is its numeric answer, if it gave one."""

    reason: str
    answer: int | None = None


class Deferred(msgspec.Struct, frozen=True, gc=False):
    """Nothing was sent, for certain. ``retry_after_s`` is how long the provider wants peace."""

    reason: str
    answer: int | None = None
    retry_after_s: float | None = None


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """The provider may have taken the mail or not."""

    reason: str
    answer: int | None = None


Result = Accepted | Refused | Deferred | Unknown

OUTCOME_TYPES: dict[type[Result], EventType] = {
    Accepted: "accepted",
    Refused: "refused",
    Deferred: "deferred",
    Unknown: "unknown",
}


class Recipient(msgspec.Struct, frozen=True, gc=False):
    """To whom and in which language."""

    email: str
    first_name: str
    last_name: str
    locale: str


class Writing(msgspec.Struct, frozen=True, gc=False):
    """When a mail was first written, and from the texts as of which choice of an operator.

    Together with recipient and years that is all its bytes depend on. A repeat of a mail that a
    provider may have is written from the same.
    """

    at: datetime
    texts_as_of: int


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A request that is ours to send. ``attempts`` counts the earlier attempts.

    ``is_keyless``: a provider may have the mail already, and may not know any more that it has.
    """

    request: DispatchRequested
    recipient: Recipient
    attempts: int
    writing: Writing
    is_keyless: bool = False


class AcceptedMail(msgspec.Struct, frozen=True, gc=False):
    """A request whose mail the provider took, under which id, and the text it was written from."""

    request: DispatchRequested
    message_id: str
    template_version: int


class DeliveryEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One recorded step of one attempt, as far as anyone else needs it.

    ``due_at`` and ``message_id`` stand on accepted ones, ``retry_at`` on deferred ones,
    ``template_version`` wherever a mail was written.
    """

    local_day: date
    person_id: UUID
    kind: str
    release: int
    step: int
    type: EventType
    recorded_at: datetime
    period: date | None = None
    reason: str | None = None
    retry_at: datetime | None = None
    due_at: datetime | None = None
    provider: str | None = None
    message_id: str | None = None
    answer: int | None = None
    template_version: int | None = None

    @property
    def occurrence(self) -> str:
        """The occurrence key."""
        return occurrence_key(self.local_day, self.person_id, self.kind)

    @property
    def key(self) -> tuple[date, UUID, str, int]:
        """What names the attempt."""
        return self.local_day, self.person_id, self.kind, self.release


def storable_id(given: str) -> str:
    """Return a provider's id of a mail as it can be kept: printable, not too long."""
    printable = given if given.isprintable() else "".join(filter(str.isprintable, given))
    return printable[:_LONGEST_ID]


def storable_answer(given: int | None) -> int | None:
    """Return a provider's numeric answer if it is a sensible one."""
    return given if given is not None and abs(given) <= _GREATEST_ANSWER else None


def is_trouble(results: Sequence[Result]) -> bool:
    """Tell whether a call shows that the provider is down: no mail of it got a definite answer.

    Being asked to slow down is no trouble, nor is what we did not even try.
    """
    return bool(results) and all(
        isinstance(result, Unknown)
        or (isinstance(result, Deferred) and result.reason not in NOT_THE_PROVIDERS_FAULT)
        for result in results
    )


def longest_pause_s(results: Iterable[Result]) -> float:
    """Return how long the provider asked to be left alone; 0 when it did not."""
    asked = (
        result.retry_after_s
        for result in results
        if isinstance(result, Deferred | Accepted) and result.retry_after_s is not None
    )
    return max(asked, default=0.0)
