"""Takes in bounces and complaints: each once, and no address is mailed again that deserves that."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from libs import outbox
from libs.ids import occurrence_key, occurrence_uuid, parse_occurrence_key
from libs.postgres.types import Connection, Pool
from services.dispatcher.adapters import reports as table
from services.dispatcher.adapters.messages import report_message
from services.dispatcher.adapters.metrics import REPORTS_TAKEN
from services.dispatcher.adapters.reports import Kept, Occurrence
from services.dispatcher.adapters.suppressions import put_suppression
from services.dispatcher.domain.report import (
    BOUNCE_WINDOW_DAYS,
    BOUNCES_UNTIL_SUPPRESSED,
    Report,
    verdict_on,
)

logger = logging.getLogger(__name__)

SIGNATURE_LIVES_S = 300.0
"""A webhook that was signed longer ago is refused, and one that was taken is until then."""
_FORGOTTEN_AT_ONCE = 10_000


class StaleSignatureError(Exception):
    """A webhook was taken before, or was signed at another time than now."""


async def take_webhook(
    pool: Pool, reports: Sequence[Report], *, signature: bytes, signed_at_s: float, now: datetime
) -> int:
    """Take in what a signed webhook reports; return how many reports were new.

    The signature is used up in the same transaction: what failed can be sent again as it is.

    Raises:
        StaleSignatureError: the signature is used up or not of this moment; nothing was taken.
    """
    async with pool.acquire() as connection, connection.transaction():
        if not await table.take_signature(
            connection, signature, sent_at_s=signed_at_s, within_s=SIGNATURE_LIVES_S
        ):
            raise StaleSignatureError
        taken = [await _take(connection, one, is_trusted=True, now=now) for one in reports]
    return sum(taken)


async def take_mailed(pool: Pool, reports: Sequence[Report], *, now: datetime) -> int:
    """Take in what a mail reports; return how many reports were new.

    Anybody can send one: it only counts where it names a mail that was sent to that very address.
    """
    async with pool.acquire() as connection, connection.transaction():
        taken = [await _take(connection, one, is_trusted=False, now=now) for one in reports]
    return sum(taken)


async def forget_reports(pool: Pool, *, now: datetime) -> None:
    """Forget a bounded number of reports and signatures that count for nothing any more."""
    async with pool.acquire() as connection:
        await table.forget_signatures(connection, older_than_s=2 * SIGNATURE_LIVES_S)
        await table.forget_reports(
            connection,
            before=now - timedelta(days=BOUNCE_WINDOW_DAYS),
            limit=_FORGOTTEN_AT_ONCE,
        )


async def _take(connection: Connection, report: Report, *, is_trusted: bool, now: datetime) -> bool:
    kept = await _matched(connection, report, is_trusted=is_trusted, now=now)
    if not await table.put_report(connection, kept, now=now):
        return False
    is_suppressed = await _is_enough(connection, kept, now=now)
    if kept.address is not None and is_suppressed:
        await put_suppression(connection, kept.address, reason=report.type, now=now)
    await outbox.put(connection, [report_message(kept, is_suppressed=is_suppressed, now=now)])
    REPORTS_TAKEN.add(type=report.type, verdict=kept.verdict)
    logger.info(
        "report.taken",
        extra={
            "type": report.type,
            "status": report.status,
            "verdict": kept.verdict,
            "is_suppressed": is_suppressed,
            "occurrence": occurrence_key(*kept.occurrence) if kept.occurrence else None,
        },
    )
    return True


async def _is_enough(connection: Connection, kept: Kept, *, now: datetime) -> bool:
    if kept.address is None or kept.verdict != "count":
        return kept.address is not None and kept.verdict == "suppress"
    since = now - timedelta(days=BOUNCE_WINDOW_DAYS)
    bounces = await table.count_bounces(connection, kept.address, since=since)
    return bounces >= BOUNCES_UNTIL_SUPPRESSED


async def _matched(
    connection: Connection, report: Report, *, is_trusted: bool, now: datetime
) -> Kept:
    """Return the report with the mail it is about, and what it is worth.

    The address that a mail names must be the person's own; where it names none, as some do on
    purpose, the person's is meant.
    """
    occurrence, owned = await _mail_of(connection, report, now=now)
    address = report.address if is_trusted or report.address == owned else None
    address = address or (owned if report.address is None else None)
    is_believed = address is not None and (is_trusted or occurrence is not None)
    return Kept(
        report=report,
        verdict=verdict_on(report) if is_believed else "ignore",
        address=address if is_believed else None,
        occurrence=occurrence,
    )


async def _mail_of(
    connection: Connection, report: Report, *, now: datetime
) -> tuple[Occurrence | None, str | None]:
    """Return the occurrence whose mail it is and the address its person has; None where unknown."""
    if report.occurrence is not None:
        occurrence = parse_occurrence_key(report.occurrence)
        was_sent, address = await table.find_mailed(connection, occurrence)
        return (occurrence, address) if was_sent else (None, None)
    if report.address is None or report.message_id is None:
        return None, None
    name = report.message_id.partition("@")[0]
    for occurrence in await table.list_mailed_at(connection, report.address, now=now):
        if occurrence_uuid(occurrence_key(*occurrence)) == name:
            return occurrence, report.address
    return None, None
