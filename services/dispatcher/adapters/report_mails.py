"""Reads reports that come as mails: delivery status (RFC 3464) and abuse feedback (RFC 5965).

Anybody can send one: sizes, parts and recipients are bounded, and nothing in it is believed here.
"""

import hashlib
from collections.abc import Iterator
from email import policy
from email.message import Message
from email.parser import BytesParser, HeaderParser

from libs.ids import parse_occurrence_key
from services.dispatcher.adapters.mime import OCCURRENCE_HEADER
from services.dispatcher.domain.address import UnusableAddressError, mailbox, normal_address
from services.dispatcher.domain.report import UNSPECIFIED, Report, readable_status

MAX_REPORT_BYTES = 262_144
_MOST_PARTS = 50
_MOST_RECIPIENTS = 20
_MOST_ENCLOSURES = 100
_LONGEST_ID = 200
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out"})

# Some hostile mails bring the parser down, one with its charset in RFC 2231's form by a TypeError.
# Whatever it stumbles over, the mails behind it must be read.
_PARSER_FAILURES = (RecursionError, ValueError, LookupError, TypeError, AttributeError)

# The newer policies parse headers by a grammar that some hostile ones bring down.
_parser = BytesParser(policy=policy.compat32)
_header_parser = HeaderParser(policy=policy.compat32)


class UnreadableReportError(Exception):
    """This is no report that could be read."""


def read_report_mail(raw: bytes) -> list[Report]:
    """Return what a mail reports, empty for a mail that is no report.

    Raises:
        UnreadableReportError: it is too long, nested beyond all reason, or too much for the parser.
    """
    if len(raw) > MAX_REPORT_BYTES or _enclosures(raw) > _MOST_ENCLOSURES:
        raise UnreadableReportError
    try:
        return list(_reports(_parser.parsebytes(raw), hashlib.sha256(raw).hexdigest()))
    except _PARSER_FAILURES as error:
        raise UnreadableReportError from error


def _reports(mail: Message, source: str) -> Iterator[Report]:
    found = {part.get_content_type(): part for part in reversed(_parts(mail))}
    if (status := found.get("message/delivery-status")) is not None:
        yield from _bounces(status, _original(found), source)
    elif (feedback := found.get("message/feedback-report")) is not None:
        yield from _complaints(feedback, _original(found), source)


def _enclosures(raw: bytes) -> int:
    """Return how many parts could enclose others: the parser's time grows with their square."""
    text = raw.lower()
    return text.count(b"boundary") + text.count(b"message/rfc822")


def _parts(message: Message) -> list[Message]:
    """Return the parts of ``message``, itself first; what a report encloses is not opened."""
    waiting = [message]
    parts: list[Message] = []
    while waiting and len(parts) < _MOST_PARTS:
        part = waiting.pop(0)
        parts.append(part)
        if part.get_content_maintype() == "multipart":
            waiting += _inner(part)
    return parts


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _original(found: dict[str, Message]) -> Message:
    """Return the head of the mail that a report is about; an empty one where it is not enclosed."""
    if (enclosed := found.get("message/rfc822")) is not None:
        return next(iter(_inner(enclosed)), Message())
    if (headers := found.get("text/rfc822-headers")) is not None:
        text = headers.get_payload(decode=True)
        return _header_parser.parsestr(_decoded(text)) if isinstance(text, bytes) else Message()
    return Message()


def _bounces(status: Message, original: Message, source: str) -> Iterator[Report]:
    for block in _inner(status)[: _MOST_RECIPIENTS + 1]:
        if _header(block, "Action").lower() != "failed":
            continue
        # What we wrote to comes first: forwarded, the final recipient is somebody else's address.
        recipient = _header(block, "Original-Recipient") or _header(block, "Final-Recipient")
        yield Report(
            type="bounced",
            source=source,
            address=_address(recipient.rpartition(";")[2]),
            status=readable_status(_header(block, "Status")) or UNSPECIFIED,
            message_id=_message_id(original),
            occurrence=_occurrence(original),
        )


def _complaints(feedback: Message, original: Message, source: str) -> Iterator[Report]:
    for block in _inner(feedback)[:1]:
        if _header(block, "Feedback-Type").lower() not in _COMPLAINTS:
            return
        recipients = block.get_all("Original-Rcpt-To", [])[:_MOST_RECIPIENTS] or [
            _header(original, "To")
        ]
        for recipient in recipients:
            yield Report(
                type="complained",
                source=source,
                address=_address(str(recipient)),
                message_id=_message_id(original),
                occurrence=_occurrence(original),
            )


def _header(message: Message, name: str) -> str:
    return str(message.get(name, "")).strip()


def _address(text: str) -> str | None:
    try:
        return normal_address(mailbox(text.strip().strip("<>").strip()))
    except UnusableAddressError:
        return None


def _message_id(original: Message) -> str | None:
    given = _header(original, "Message-ID").strip("<>")
    return given if given and given.isprintable() and len(given) <= _LONGEST_ID else None


def _occurrence(original: Message) -> str | None:
    given = _header(original, OCCURRENCE_HEADER)
    try:
        parse_occurrence_key(given)
    except ValueError:
        return None
    return given


def _decoded(text: bytes) -> str:
    return text.decode("utf-8", "replace")
