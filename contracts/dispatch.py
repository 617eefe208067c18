"""What planner and dispatcher say to each other, and to everyone who listens, about deliveries."""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec

from contracts.envelope import Instant

DISPATCH_REQUESTED = "dispatch.requested.v1"
DELIVERY_ACCEPTED = "delivery.accepted.v1"
DELIVERY_REFUSED = "delivery.refused.v1"
DELIVERY_DEFERRED = "delivery.deferred.v1"
DELIVERY_UNKNOWN = "delivery.unknown.v1"
DELIVERY_SUPPRESSED = "delivery.suppressed.v1"
DELIVERY_RETURNED = "delivery.returned.v1"

Release = Annotated[int, msgspec.Meta(ge=1, description="Counts the requests for one occurrence.")]


class DispatchRequested(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A command: greet this person for this occurrence, now.

    The occurrence is (``local_day``, ``person_id``, ``kind``). ``period`` is the first day of the
    period in which the kind greets a person once. ``due_at`` is its instant, ``expires_at`` the
    last moment at which it may still be sent. ``person_version`` is the version of the person by
    which the planner decided. ``years`` is how many years the occasion counts, where known.
    """

    local_day: date
    person_id: UUID
    kind: str
    release: Release
    period: date
    due_at: Instant
    expires_at: Instant
    person_version: int
    years: int | None = None


class Delivery(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What every delivery event says: which occurrence, answering which release."""

    local_day: date
    person_id: UUID
    kind: str
    release: Release


class DeliveryAccepted(Delivery, frozen=True, kw_only=True, gc=False):
    """The provider took the mail. Lateness is ``accepted_at - due_at``."""

    accepted_at: Instant
    due_at: Instant
    provider: str
    message_id: str


class DeliveryRefused(Delivery, frozen=True, kw_only=True, gc=False):
    """The mail will never be taken: a permanent answer, with its reason word."""

    reason: str


class DeliveryDeferred(Delivery, frozen=True, kw_only=True, gc=False):
    """This attempt certainly sent nothing; another may be made from ``retry_at``."""

    reason: str
    retry_at: Instant


class DeliveryUnknown(Delivery, frozen=True, kw_only=True, gc=False):
    """The provider may or may not have taken the mail."""

    reason: str


class DeliverySuppressed(Delivery, frozen=True, kw_only=True, gc=False):
    """It was decided not to send, with a reason word."""

    reason: str


class DeliveryReturned(Delivery, frozen=True, kw_only=True, gc=False):
    """The request was not claimed; the planner decides anew.

    ``early``: before its instant. ``expired``: too late. ``contact_behind``: the dispatcher has not
    seen ``person_version`` yet. ``schedule_changed``: the dispatcher knows a newer schedule.
    ``kind_unknown``: this dispatcher has no such kind. ``unavailable``: the provider was out of
    reach for too long. ``paused`` and ``cancelled``: an operator's word reached it first.
    """

    reason: str
