"""Bounces and complaints as they are kept, and the mails they are about."""

import hashlib
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from libs.postgres.types import Connection
from services.dispatcher.adapters.delivery_doubts import oldest_day
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.report import Report, Verdict

_MOST_CANDIDATES = 100

Occurrence = tuple[date, UUID, str]


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A report, what it is about as far as that was found, and what its address deserves."""

    report: Report
    verdict: Verdict
    address: str | None
    occurrence: Occurrence | None

    @property
    def report_id(self) -> bytes:
        """Names what was told: a copy, or the same told in another way, has the same id."""
        mail = self.occurrence or self.report.message_id or self.report.source
        return _digest(f"{self.report.type}|{self.verdict}|{self.address}|{mail}")


async def take_signature(
    connection: Connection, signature: bytes, *, sent_at_s: float, within_s: float
) -> bool:
    """Take a webhook's signature; tell whether it is new and was made ``within_s`` of now."""
    taken = await connection.fetchval(SQL.take_signature, signature, sent_at_s, within_s)
    return taken is not None


async def put_report(connection: Connection, kept: Kept, *, now: datetime) -> bool:
    """Record a report; tell whether it is new."""
    local_day, person_id, kind = kept.occurrence or (None, None, None)
    recorded = await connection.fetchval(
        SQL.put_report,
        kept.report_id,
        kept.report.type,
        kept.verdict,
        kept.report.status,
        _digest(kept.address) if kept.address else None,
        local_day,
        person_id,
        kind,
        now,
    )
    return recorded is not None


async def count_bounces(connection: Connection, address: str, *, since: datetime) -> int:
    """Return how many mails to ``address`` have come back since, by reports that are counted."""
    bounces: int = await connection.fetchval(SQL.count_bounces, _digest(address), since)
    return bounces


async def find_mailed(connection: Connection, occurrence: Occurrence) -> tuple[bool, str | None]:
    """Tell whether a mail of ``occurrence`` was tried, and the address its person has now."""
    row = await connection.fetchrow(SQL.find_mailed, *occurrence)
    return (row is not None, row["address"] if row is not None else None)


async def list_mailed_at(
    connection: Connection, address: str, *, now: datetime
) -> list[Occurrence]:
    """Return what was lately sent to people whose address it is, the latest first."""
    rows = await connection.fetch(
        SQL.list_mailed_at,
        address,
        oldest_day(now),
        now.date() + timedelta(days=1),
        _MOST_CANDIDATES,
    )
    return [(row["local_day"], row["person_id"], row["kind"]) for row in rows]


async def forget_signatures(connection: Connection, *, older_than_s: float) -> None:
    """Forget signatures that are too old to be taken again."""
    await connection.execute(SQL.forget_signatures, older_than_s)


async def forget_reports(connection: Connection, *, before: datetime, limit: int) -> None:
    """Forget up to ``limit`` reports from ``before``."""
    await connection.execute(SQL.forget_reports, before, limit)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
