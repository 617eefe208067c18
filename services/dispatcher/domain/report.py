"""Reports about mails: what was told, and what an address deserves for it."""

import re
from typing import Literal

import msgspec

ReportType = Literal["bounced", "complained"]
Verdict = Literal["suppress", "count", "ignore"]

BOUNCES_UNTIL_SUPPRESSED = 3
BOUNCE_WINDOW_DAYS = 400
"""Long enough for three mails of a person who is greeted once or twice a year."""

UNSPECIFIED = "5.0.0"
"""The status of a failure whose report names none."""

_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
_GONE = frozenset({"5.1.0", "5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"})
"""No such mailbox, host or syntax, moved away, takes no mail, disabled (RFC 3463, RFC 7505)."""
_PERHAPS = ("5.0.", "5.1.", "5.2.2", "5.3.", "5.4.")
"""Unspecified, full, a system or a way that failed: told again and again it is as good as gone."""
_OURS = frozenset({"5.1.7", "5.1.8"})
"""Wrong about the sender's address: nothing the recipient could mend."""


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one report says of one recipient.

    ``address`` is in its normal form, None where the report hides it. ``occurrence`` and
    ``message_id`` name the mail where it says so, unproven. ``source`` names the report itself.
    """

    type: ReportType
    source: str
    address: str | None
    status: str | None = None
    message_id: str | None = None
    occurrence: str | None = None


def verdict_on(report: Report) -> Verdict:
    """Return what the recipient's address deserves for ``report``.

    What may pass, what a report of success says, and what is about us or the text is ignored.
    """
    if report.type == "complained":
        return "suppress"
    status = report.status or UNSPECIFIED
    if status in _GONE:
        return "suppress"
    return "count" if status.startswith(_PERHAPS) and status not in _OURS else "ignore"


def readable_status(text: str) -> str | None:
    """Return the enhanced status code in ``text``, RFC 3463, if it begins with one."""
    found = _STATUS.match(text.strip())
    return found[0] if found else None
