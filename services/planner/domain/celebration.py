"""A person's standing claim to be greeted for a kind, filed where a day's planning finds it."""

from collections.abc import Iterable
from datetime import date, datetime
from uuid import UUID

import msgspec

from contracts.kinds import Kind
from services.planner.domain.recipient import Recipient
from services.planner.domain.recurrence import RECURRENCES


class Celebration(msgspec.Struct, frozen=True):
    """Everything about a person that decides when ``kind`` is due.

    ``origin`` is None where its year is unknown; ``person_version`` is the schedule version it was
    filed from; ``zones_left`` are other zones the person has lived in since ``since``.
    """

    bucket: int
    person_id: UUID
    kind: str
    zone: str
    leap_day: str
    origin: date | None
    since: datetime
    person_version: int
    zones_left: tuple[str, ...] = ()


def celebrations_of(recipient: Recipient, kinds: Iterable[Kind]) -> list[Celebration]:
    """Return what is to be filed for ``recipient``: nothing for the absent and for opt-outs."""
    if not recipient.is_active:
        return []
    return [
        celebration
        for kind in kinds
        if kind.name not in recipient.opt_outs
        and (celebration := _celebration(recipient, kind)) is not None
    ]


def _celebration(recipient: Recipient, kind: Kind) -> Celebration | None:
    origin = recipient.origin_of(kind)
    if origin is None:
        return None
    bucket = RECURRENCES[kind.cadence].bucket_of(origin)
    if bucket is None:
        return None
    return Celebration(
        bucket,
        recipient.person_id,
        kind.name,
        recipient.zone,
        recipient.leap_day,
        origin.first_day,
        recipient.since(kind),
        recipient.schedule_version,
        tuple(recipient.zones_since(kind)[1:]),
    )
