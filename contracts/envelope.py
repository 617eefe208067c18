"""CloudEvents 1.0.2 in JSON, one event or a batch of one type.

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
"""

from datetime import datetime
from typing import Annotated, Generic, TypeVar

import msgspec

CONTENT_TYPE = "application/cloudevents+json"
BATCH_CONTENT_TYPE = "application/cloudevents-batch+json"
MAX_BATCH_ITEMS = 500
"""Items in one message, at most."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
"""A moment with its offset; always written in UTC."""

Data = TypeVar("Data")


class Event(msgspec.Struct, Generic[Data], frozen=True, kw_only=True, omit_defaults=True):
    """One CloudEvent carrying ``data`` of the type that ``type`` names.

    ``id`` is unique per ``source``; a copy of a message carries the same id. ``subject`` is the
    person's id or the occurrence key. ``traceparent`` is the W3C context in which the fact was
    recorded (the CloudEvents distributed tracing extension).
    """

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: Instant
    datacontenttype: str
    data: Data
    traceparent: str | None = None


def event(
    data: Data,
    *,
    event_id: str,
    type_name: str,
    source: str,
    subject: str,
    time: datetime,
    traceparent: str | None = None,
) -> Event[Data]:
    """Return ``data`` in its envelope; ``time`` is when the fact was recorded, aware, UTC."""
    return Event(
        specversion="1.0",
        id=event_id,
        source=source,
        type=type_name,
        subject=subject,
        time=time,
        datacontenttype="application/json",
        data=data,
        traceparent=traceparent,
    )
