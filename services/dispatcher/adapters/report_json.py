"""Reads reports in JSON, in the form of Postmark's webhooks.

Sources: https://postmarkapp.com/developer/webhooks/bounce-webhook,
https://postmarkapp.com/developer/webhooks/spam-complaint-webhook and
https://postmarkapp.com/developer/api/bounce-api#bounce-types
"""

import msgspec

from libs.ids import parse_occurrence_key
from services.dispatcher.adapters.report_mails import UnreadableReportError
from services.dispatcher.domain.address import UnusableAddressError, mailbox, normal_address
from services.dispatcher.domain.report import Report

_STATUSES = {
    "HardBounce": "5.1.1",
    "BadEmailAddress": "5.1.3",
    "SoftBounce": "5.2.2",
    "DnsError": "5.4.4",
    "Transient": "4.0.0",
    "AutoResponder": "2.0.0",
    "ChallengeVerification": "4.7.0",
    "SpamNotification": "5.7.1",
    "Blocked": "5.7.1",
    "DMARCPolicy": "5.7.1",
    "VirusNotification": "5.7.1",
}
"""Postmark's words for what happened; of others nobody can say what they mean for an address."""
_UNCLEAR = "4.0.0"


class _Metadata(msgspec.Struct, frozen=True):
    occurrence: str | None = None


class _Webhook(msgspec.Struct, frozen=True, rename="pascal"):
    record_type: str
    email: str = ""
    type: str = ""
    id: int | str = msgspec.field(name="ID", default="")
    message_id: str = msgspec.field(name="MessageID", default="")
    metadata: _Metadata = _Metadata()


_webhook = msgspec.json.Decoder(_Webhook)


def read_report_json(body: bytes) -> list[Report]:
    """Return what a webhook reports, empty for one that reports neither bounce nor complaint.

    Raises:
        UnreadableReportError: it is not such a webhook.
    """
    try:
        webhook = _webhook.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UnreadableReportError from error
    if webhook.record_type not in {"Bounce", "SpamComplaint"}:
        return []
    is_bounce = webhook.record_type == "Bounce"
    is_complaint = not is_bounce or webhook.type == "SpamComplaint"
    return [
        Report(
            type="complained" if is_complaint else "bounced",
            source=f"{webhook.record_type}/{webhook.id}/{webhook.message_id}"[:200],
            address=_address(webhook.email),
            status=None if is_complaint else _STATUSES.get(webhook.type, _UNCLEAR),
            occurrence=_occurrence(webhook.metadata.occurrence),
        )
    ]


def _address(email: str) -> str | None:
    try:
        return normal_address(mailbox(email.strip()))
    except UnusableAddressError:
        return None


def _occurrence(given: str | None) -> str | None:
    try:
        parse_occurrence_key(given or "")
    except ValueError:
        return None
    return given
