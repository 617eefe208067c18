"""Takes in the reports that came to a mailbox."""

import asyncio
import logging
from pathlib import Path

from libs.clock import Clock
from libs.postgres.types import Pool
from services.dispatcher.adapters.metrics import REPORTS_UNREADABLE
from services.dispatcher.adapters.report_mailbox import MailboxBusyError, opened
from services.dispatcher.adapters.report_mails import UnreadableReportError, read_report_mail
from services.dispatcher.app.take_reports import take_mailed
from services.dispatcher.domain.report import Report

logger = logging.getLogger(__name__)


async def read_mailbox(pool: Pool, clock: Clock, path: Path) -> int:
    """Take in some of the mails in the box and return how many there were.

    A mail is removed once what it reports is committed, also where it reports nothing: the box is
    for reports alone. After a crash it is read again, and its reports are recognised.
    """
    try:
        with opened(path) as box:
            arrived = await asyncio.to_thread(box.read)
            for mail in arrived:
                await take_mailed(pool, _read(mail.raw), now=clock.now())
            await asyncio.to_thread(box.remove, arrived)
    except MailboxBusyError as error:
        logger.warning("mailbox.unavailable", extra={"cause": str(error)})
        return 0
    return len(arrived)


def _read(raw: bytes) -> list[Report]:
    try:
        reports = read_report_mail(raw)
    except UnreadableReportError:
        reports = []
    if not reports:
        REPORTS_UNREADABLE.add()
        logger.warning("report.unreadable", extra={"bytes": len(raw)})
    return reports
