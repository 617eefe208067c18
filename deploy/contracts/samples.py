"""One sample of every message: what a consumer can test against. They must decode for ever."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec

from contracts import dispatch, plan_events, recipient_events, report_events, user_events
from contracts.codec import TYPES
from contracts.envelope import Event, event

_PERSON = UUID("0198f0aa-0000-7000-8000-000000000001")
_OTHER = UUID("0198f0aa-0000-7000-8000-00000000c001")
_REGISTERED_AT = datetime(2026, 6, 1, 8, 0, tzinfo=UTC)
_DUE_AT = datetime(2026, 6, 14, 7, 0, tzinfo=UTC)
_DAY = date(2026, 6, 14)
_TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_PERSON_FIELDS: dict[str, Any] = {
    "id": _PERSON,
    "version": 1,
    "schedule_version": 1,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "timezone": "Europe/Berlin",
    "locale": "en",
    "leap_day": "feb28",
    "active_since": _REGISTERED_AT,
    "birthday": "1990-06-14",
    "anniversary": "--06-14",
    "dates_since": {"birthday": _REGISTERED_AT, "anniversary": _REGISTERED_AT},
}
_OCCURRENCE: dict[str, Any] = {
    "local_day": _DAY,
    "person_id": _PERSON,
    "kind": "birthday",
    "release": 1,
}
_REPORTED: dict[str, Any] = {"local_day": _DAY, "person_id": _PERSON, "kind": "birthday"}
_DATA: dict[str, dict[str, Any]] = {
    user_events.USER_REGISTERED: _PERSON_FIELDS,
    user_events.USER_CHANGED: _PERSON_FIELDS
    | {"version": 2, "schedule_version": 2, "timezone": "Asia/Tokyo"},
    user_events.USER_DELETED: _PERSON_FIELDS | {"version": 3, "schedule_version": 3},
    user_events.USER_RESTORED: _PERSON_FIELDS | {"version": 4, "schedule_version": 4},
    user_events.USER_ERASED: {"id": _PERSON, "version": 5, "schedule_version": 5},
    dispatch.DISPATCH_REQUESTED: _OCCURRENCE
    | {
        "period": date(2026, 1, 1),
        "due_at": _DUE_AT,
        "expires_at": _DUE_AT + timedelta(hours=48),
        "person_version": 1,
        "years": 36,
    },
    dispatch.DELIVERY_ACCEPTED: _OCCURRENCE
    | {
        "accepted_at": _DUE_AT + timedelta(milliseconds=140),
        "due_at": _DUE_AT,
        "provider": "smtp",
        "message_id": "<6f2c1a0e-6f0b-5d0a-9a53-0d8c3f1b7e21@mail.example.com>",
    },
    dispatch.DELIVERY_REFUSED: _OCCURRENCE | {"reason": "no_such_mailbox"},
    dispatch.DELIVERY_DEFERRED: _OCCURRENCE
    | {"reason": "provider_busy", "retry_at": _DUE_AT + timedelta(seconds=2)},
    dispatch.DELIVERY_UNKNOWN: _OCCURRENCE | {"reason": "no_answer"},
    dispatch.DELIVERY_SUPPRESSED: _OCCURRENCE | {"reason": "user_removed"},
    dispatch.DELIVERY_RETURNED: _OCCURRENCE | {"reason": "schedule_changed"},
    recipient_events.RECIPIENT_BLOCKS_CHANGED: {
        "person_id": _PERSON,
        "revision": 1,
        "blocks": {"birthday": "unsubscribed"},
    },
    report_events.MAIL_BOUNCED: _REPORTED | {"is_suppressed": True, "status": "5.1.1"},
    report_events.MAIL_COMPLAINED: _REPORTED | {"is_suppressed": True},
    plan_events.PLAN_PAUSED: {"pause_id": _OTHER, "paused_at": _DUE_AT, "kind": "birthday"},
    plan_events.PLAN_RESUMED: {"pause_id": _OTHER, "resumed_at": _DUE_AT},
    plan_events.PLAN_CANCELLED: {
        "cancellation_id": _OTHER,
        "cancelled_at": _DUE_AT,
        "first_day": _DAY,
        "last_day": _DAY,
        "person_id": _PERSON,
        "kind": "birthday",
    },
    plan_events.PLAN_DAY_CLOSED: {
        "local_day": _DAY,
        "closing": 1,
        "closed_at": _DUE_AT + timedelta(hours=75),
        "owed": 3,
        "account": [
            {"kind": "birthday", "state": "accepted", "count": 2},
            {
                "kind": "birthday",
                "state": "suppressed",
                "reason": "opted_out",
                "count": 1,
            },
        ],
    },
}

_SUBJECTS = {
    "user": str(_PERSON),
    "recipient": str(_PERSON),
    "plan": "plan",
}
_SOURCES = {"user": "user", "dispatch": "planner", "plan": "planner"}


def sample(type_name: str) -> Event[Any]:
    """Return the sample event of ``type_name``."""
    data = msgspec.convert(_DATA[type_name], TYPES[type_name])
    family = type_name.partition(".")[0]
    return event(
        data,
        event_id="0198f0aa-0000-7000-8000-00000000e001",
        type_name=type_name,
        source=f"/jubilee/{_SOURCES.get(family, 'dispatcher')}",
        subject=_SUBJECTS.get(family, f"{_DAY}/{_PERSON}/birthday"),
        time=_REGISTERED_AT if family == "user" else _DUE_AT,
        traceparent=_TRACEPARENT,
    )
