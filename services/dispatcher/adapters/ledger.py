"""Questions about deliveries: a day's totals, one occurrence's story, what is unknown."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.dispatcher.adapters.sql import SQL


class Total(msgspec.Struct, frozen=True):
    """How many occurrences of a kind ended so; the outcome ``attempted`` is in flight."""

    kind: str
    outcome: str
    reason: str | None
    occurrences: int


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """One recorded step of one attempt: 0 the claim, 1 the outcome, 2 the settlement."""

    release: int
    step: int
    type: str
    recorded_at: datetime
    reason: str | None
    period: date | None
    due_at: datetime | None
    expires_at: datetime | None
    lease_until: datetime | None
    retry_at: datetime | None
    provider: str | None
    message_id: str | None
    person_version: int | None
    answer: int | None
    years: int | None
    texts_as_of: int | None
    template_version: int | None


class UnknownOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt whose outcome nobody knows yet."""

    local_day: date
    person_id: UUID
    kind: str
    release: int
    reason: str
    recorded_at: datetime
    due_at: datetime
    provider: str


async def sum_day(connection: Connection, local_day: date) -> list[Total]:
    """Return the totals of one local day by kind, outcome and reason."""
    rows = await connection.fetch(SQL.sum_day, local_day)
    return [Total(row["kind"], row["type"], row["reason"], row["occurrences"]) for row in rows]


async def list_story(
    connection: Connection, local_day: date, person_id: UUID, kind: str
) -> list[Step]:
    """Return every step of one occurrence, in order; empty when it was never attempted."""
    rows = await connection.fetch(SQL.list_story, local_day, person_id, kind)
    return [Step(**row) for row in rows]


async def list_unknown(
    connection: Connection, *, after: tuple[date, UUID, str], limit: int
) -> list[UnknownOutcome]:
    """Return up to ``limit`` unsettled unknown outcomes that follow ``after``."""
    rows = await connection.fetch(SQL.list_unknown, *after, limit)
    return [UnknownOutcome(**row) for row in rows]
