"""What the world told the dispatcher about mails that a provider had taken.

These change no delivery: the mail was taken. They say why an address gets no further mail.
"""

from datetime import date
from typing import Annotated
from uuid import UUID

import msgspec

MAIL_BOUNCED = "mail.bounced.v1"
MAIL_COMPLAINED = "mail.complained.v1"


class ReportedMail(msgspec.Struct, frozen=True, kw_only=True):
    """The mail a report is about, as far as it is known.

    The occurrence is (``local_day``, ``person_id``, ``kind``): all of it or nothing.
    ``is_suppressed`` says that its address gets no mail from now on.
    """

    is_suppressed: bool
    local_day: date | None = None
    person_id: UUID | None = None
    kind: str | None = None


class MailBounced(ReportedMail, frozen=True, kw_only=True):
    """The mail did not reach its recipient."""

    status: Annotated[
        str, msgspec.Meta(pattern=r"^[245]\.\d{1,3}\.\d{1,3}$", description="As of RFC 3463.")
    ]


class MailComplained(ReportedMail, frozen=True, kw_only=True):
    """The recipient called the mail unwanted."""
