"""Type name <-> struct, and batches <-> bytes."""

from collections.abc import Sequence
from typing import Any

import msgspec

from contracts import dispatch, plan_events, recipient_events, report_events, user_events
from contracts.envelope import Event

TYPES: dict[str, type[msgspec.Struct]] = {
    user_events.USER_REGISTERED: user_events.UserRegistered,
    user_events.USER_CHANGED: user_events.UserChanged,
    user_events.USER_DELETED: user_events.UserDeleted,
    user_events.USER_RESTORED: user_events.UserRestored,
    user_events.USER_ERASED: user_events.UserErased,
    dispatch.DISPATCH_REQUESTED: dispatch.DispatchRequested,
    dispatch.DELIVERY_ACCEPTED: dispatch.DeliveryAccepted,
    dispatch.DELIVERY_REFUSED: dispatch.DeliveryRefused,
    dispatch.DELIVERY_DEFERRED: dispatch.DeliveryDeferred,
    dispatch.DELIVERY_UNKNOWN: dispatch.DeliveryUnknown,
    dispatch.DELIVERY_SUPPRESSED: dispatch.DeliverySuppressed,
    dispatch.DELIVERY_RETURNED: dispatch.DeliveryReturned,
    recipient_events.RECIPIENT_BLOCKS_CHANGED: recipient_events.RecipientBlocksChanged,
    report_events.MAIL_BOUNCED: report_events.MailBounced,
    report_events.MAIL_COMPLAINED: report_events.MailComplained,
    plan_events.PLAN_PAUSED: plan_events.PlanPaused,
    plan_events.PLAN_RESUMED: plan_events.PlanResumed,
    plan_events.PLAN_CANCELLED: plan_events.PlanCancelled,
    plan_events.PLAN_DAY_CLOSED: plan_events.PlanDayClosed,
}


class UnknownTypeError(Exception):
    """A message names a type that no contract describes."""

    def __init__(self, type_name: str) -> None:
        super().__init__(f"no contract describes the type {type_name!r}")
        self.type_name = type_name


class MalformedError(Exception):
    """A message's body is not what its type promises."""


class MisfitError(Exception):
    """What is to be published is not what its type promises: a mistake of ours."""


_encoder = msgspec.json.Encoder()
_decoders: dict[str, msgspec.json.Decoder[list[Event[Any]]]] = {
    name: msgspec.json.Decoder(list[Event[struct]])  # type: ignore[valid-type]
    for name, struct in TYPES.items()
}
_items = msgspec.json.Decoder(list[msgspec.Raw])


def encode(events: Sequence[Event[Any]]) -> bytes:
    """Return the batch as the body of one message: a JSON array.

    Raises:
        UnknownTypeError: no contract describes the type.
        MisfitError: the events are of different types, or an event's data of another shape.
    """
    for name in {item.type for item in events}:
        if name != events[0].type:
            raise MisfitError(f"{events[0].type} and {name} in one batch")
    for given in {type(item.data) for item in events}:
        _refuse_misfit(events[0].type, given)
    return _encoder.encode(events)


def encode_items(events: Sequence[Event[Any]]) -> bytes:
    """Return the events joined by commas, without brackets: the form kept in an outbox row.

    Raises:
        UnknownTypeError, MisfitError: as for ``encode``.
    """
    return encode(events)[1:-1]


def _refuse_misfit(type_name: str, given: type[Any]) -> None:
    struct = TYPES.get(type_name)
    if struct is None:
        raise UnknownTypeError(type_name)
    if (
        given is not struct
        and getattr(given, "__struct_fields__", None) != struct.__struct_fields__
    ):
        raise MisfitError(f"{type_name} with the data of {given.__name__}")


def decode(type_name: str, body: bytes) -> list[Event[Any]]:
    """Return the events of one batch, all of the type ``type_name``.

    Raises:
        UnknownTypeError: no contract describes the type.
        MalformedError: the body is not JSON, not a batch, or an item does not fit its contract.
    """
    decoder = _decoders.get(type_name)
    if decoder is None:
        raise UnknownTypeError(type_name)
    try:
        events = decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(f"{type_name}: {error}") from error
    for item in events:
        if item.type != type_name:
            raise MalformedError(f"{type_name}: the batch holds an event of type {item.type!r}")
    return events


def split(body: bytes) -> list[bytes]:
    """Return each item of a batch as a batch of its own, so that one bad item fails alone.

    Raises:
        MalformedError: the body is not a JSON array at all.
    """
    try:
        return [b"[" + bytes(item) + b"]" for item in _items.decode(body)]
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise MalformedError(str(error)) from error


def without_subjects(body: bytes, subjects: Sequence[str]) -> tuple[bytes, int]:
    """Return a batch without the items that name any of ``subjects``, and how many items are left.

    Of a body that is no batch nothing is left.
    """
    names = [subject.encode() for subject in subjects]
    try:
        items = [bytes(item) for item in _items.decode(body)]
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError):
        items = []
    kept = [item for item in items if not any(name in item for name in names)]
    return b"[" + b",".join(kept) + b"]", len(kept)
