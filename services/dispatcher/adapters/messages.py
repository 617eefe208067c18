"""Turns what happened to deliveries into messages for the outbox."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from contracts import codec, dispatch, report_events, topology
from contracts.envelope import MAX_BATCH_ITEMS, Event, event
from contracts.recipient_events import RECIPIENT_BLOCKS_CHANGED, RecipientBlocksChanged
from libs.ids import new_id, occurrence_key
from libs.outbox import OutboxMessage
from libs.telemetry.tracing import current_traceparent
from services.dispatcher.adapters.reports import Kept
from services.dispatcher.domain.delivery import OUTCOME, AcceptedMail, DeliveryEvent
from services.dispatcher.domain.report import UNSPECIFIED

SOURCE = "/jubilee/dispatcher"

_TYPES = {
    "accepted": dispatch.DELIVERY_ACCEPTED,
    "refused": dispatch.DELIVERY_REFUSED,
    "deferred": dispatch.DELIVERY_DEFERRED,
    "unknown": dispatch.DELIVERY_UNKNOWN,
    "suppressed": dispatch.DELIVERY_SUPPRESSED,
}


class Returned(msgspec.Struct, frozen=True):
    """A request that was not claimed, and why."""

    request: dispatch.DispatchRequested
    reason: str


def messages(
    events: Sequence[DeliveryEvent], returned: Sequence[Returned] = (), *, now: datetime
) -> list[OutboxMessage]:
    """Return one message per type, or several where there are more than 500 of one.

    A recorded event keeps its id for ever, so that a copy of it can be told as one.
    """
    traceparent = current_traceparent()
    by_type: defaultdict[str, list[Event[Any]]] = defaultdict(list)
    for happened in events:
        by_type[_TYPES[happened.type]].append(_event_of(happened, traceparent))
    for one in returned:
        by_type[dispatch.DELIVERY_RETURNED].append(_event_of_returned(one, now, traceparent))
    return _in_batches(by_type)


def accepted_messages(
    accepted: Sequence[AcceptedMail], *, provider: str, now: datetime
) -> list[OutboxMessage]:
    """Return what ``messages`` makes of the same mails as events, at half its cost."""
    traceparent = current_traceparent()
    told = [_event_of_accepted(one, provider, now, traceparent) for one in accepted]
    return _in_batches({dispatch.DELIVERY_ACCEPTED: told})


def report_message(kept: Kept, *, is_suppressed: bool, now: datetime) -> OutboxMessage:
    """Return the message that tells of a bounce or complaint."""
    local_day, person_id, kind = kept.occurrence or (None, None, None)
    known: dict[str, Any] = {
        "is_suppressed": is_suppressed,
        "local_day": local_day,
        "person_id": person_id,
        "kind": kind,
    }
    report_id = kept.report_id.hex()
    if kept.report.type == "bounced":
        type_name = report_events.MAIL_BOUNCED
        data: Any = report_events.MailBounced(status=kept.report.status or UNSPECIFIED, **known)
    else:
        type_name = report_events.MAIL_COMPLAINED
        data = report_events.MailComplained(**known)
    told = event(
        data,
        event_id=report_id,
        type_name=type_name,
        source=SOURCE,
        subject=occurrence_key(*kept.occurrence) if kept.occurrence else report_id,
        time=now,
        traceparent=current_traceparent(),
    )
    return OutboxMessage(topology.EVENTS, type_name, 1, codec.encode_items([told]))


def blocks_messages(
    changed: Sequence[RecipientBlocksChanged], *, now: datetime
) -> list[OutboxMessage]:
    """Return one message for up to 500 people of whom other things keep mail than before."""
    traceparent = current_traceparent()
    told: list[Event[Any]] = [
        event(
            blocks,
            event_id=f"{blocks.person_id}/blocks/{blocks.revision}",
            type_name=RECIPIENT_BLOCKS_CHANGED,
            source=SOURCE,
            subject=str(blocks.person_id),
            time=now,
            traceparent=traceparent,
        )
        for blocks in changed
    ]
    return _in_batches({RECIPIENT_BLOCKS_CHANGED: told})


def _in_batches(by_type: Mapping[str, list[Event[Any]]]) -> list[OutboxMessage]:
    return [
        OutboxMessage(topology.EVENTS, type_name, len(batch), codec.encode_items(batch))
        for type_name, of_type in by_type.items()
        for batch in _batches(of_type)
    ]


def _batches(events: list[Event[Any]]) -> Iterable[list[Event[Any]]]:
    return (
        events[start : start + MAX_BATCH_ITEMS] for start in range(0, len(events), MAX_BATCH_ITEMS)
    )


def _event_of(happened: DeliveryEvent, traceparent: str | None) -> Event[Any]:
    occurrence = happened.occurrence
    return event(
        _data(happened),
        event_id=f"{occurrence}/{happened.release}/{happened.step}",
        type_name=_TYPES[happened.type],
        source=SOURCE,
        subject=occurrence,
        time=happened.recorded_at,
        traceparent=traceparent,
    )


def _event_of_accepted(
    one: AcceptedMail, provider: str, now: datetime, traceparent: str | None
) -> Event[Any]:
    request = one.request
    occurrence = occurrence_key(request.local_day, request.person_id, request.kind)
    return event(
        dispatch.DeliveryAccepted(
            local_day=request.local_day,
            person_id=request.person_id,
            kind=request.kind,
            release=request.release,
            accepted_at=now,
            due_at=request.due_at,
            provider=provider,
            message_id=one.message_id,
        ),
        event_id=f"{occurrence}/{request.release}/{OUTCOME}",
        type_name=dispatch.DELIVERY_ACCEPTED,
        source=SOURCE,
        subject=occurrence,
        time=now,
        traceparent=traceparent,
    )


def _event_of_returned(one: Returned, now: datetime, traceparent: str | None) -> Event[Any]:
    request = one.request
    return event(
        dispatch.DeliveryReturned(
            local_day=request.local_day,
            person_id=request.person_id,
            kind=request.kind,
            release=request.release,
            reason=one.reason,
        ),
        event_id=str(new_id()),
        type_name=dispatch.DELIVERY_RETURNED,
        source=SOURCE,
        subject=occurrence_key(request.local_day, request.person_id, request.kind),
        time=now,
        traceparent=traceparent,
    )


def _data(happened: DeliveryEvent) -> dispatch.Delivery:
    if happened.type == "accepted":
        return _accepted(happened)
    reason = happened.reason or ""
    if happened.type == "deferred":
        return dispatch.DeliveryDeferred(
            local_day=happened.local_day,
            person_id=happened.person_id,
            kind=happened.kind,
            release=happened.release,
            reason=reason,
            retry_at=happened.retry_at or happened.recorded_at,
        )
    return _WITH_REASON[happened.type](
        local_day=happened.local_day,
        person_id=happened.person_id,
        kind=happened.kind,
        release=happened.release,
        reason=reason,
    )


def _accepted(happened: DeliveryEvent) -> dispatch.DeliveryAccepted:
    return dispatch.DeliveryAccepted(
        local_day=happened.local_day,
        person_id=happened.person_id,
        kind=happened.kind,
        release=happened.release,
        accepted_at=happened.recorded_at,
        due_at=happened.due_at or happened.recorded_at,
        provider=happened.provider or "",
        message_id=happened.message_id or "",
    )


_WITH_REASON: dict[
    str,
    type[dispatch.DeliveryRefused]
    | type[dispatch.DeliveryUnknown]
    | type[dispatch.DeliverySuppressed],
] = {
    "refused": dispatch.DeliveryRefused,
    "unknown": dispatch.DeliveryUnknown,
    "suppressed": dispatch.DeliverySuppressed,
}
