"""Bounces and complaints as mail servers and providers write them."""

import hashlib
import hmac
import json
from collections.abc import Mapping

BOUNCE = """\
From: MAILER-DAEMON@mx.example.org (Mail Delivery System)
Subject: Undelivered Mail Returned to Sender
To: greetings@jubilee.example
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status;
\tboundary="4F2A1.1781/mx.example.org"

This is a MIME-encapsulated message.

--4F2A1.1781/mx.example.org
Content-Description: Notification
Content-Type: text/plain; charset=us-ascii

I'm sorry to have to inform you that your message could not be delivered.

--4F2A1.1781/mx.example.org
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.org
Arrival-Date: Sun, 14 Jun 2026 09:00:01 +0000 (UTC)

Final-Recipient: rfc822; {address}
Action: {action}
Status: {status}
Remote-MTA: dns; mail.example.net
Diagnostic-Code: smtp; 550 {status} {address}: no

--4F2A1.1781/mx.example.org
Content-Description: Undelivered Message
Content-Type: {enclosed}

{headers}
--4F2A1.1781/mx.example.org--
"""

COMPLAINT = """\
From: <abusedesk@example.com>
Subject: FW: Happy birthday
To: <abuse@jubilee.example>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=feedback-report;
     boundary="part1_13d.2e68ed54_boundary"

--part1_13d.2e68ed54_boundary
Content-Type: text/plain; charset="US-ASCII"

This is an email abuse report.

--part1_13d.2e68ed54_boundary
Content-Type: message/feedback-report

Feedback-Type: {feedback}
User-Agent: SomeGenerator/1.0
Version: 1
{recipient}
--part1_13d.2e68ed54_boundary
Content-Type: message/rfc822
Content-Disposition: inline

{headers}

Hey
--part1_13d.2e68ed54_boundary--
"""


def a_bounce(
    address: str,
    *,
    status: str = "5.1.1",
    action: str = "failed",
    enclosed: str = "text/rfc822-headers",
    **headers: str,
) -> bytes:
    """Return a delivery status notification, RFC 3464, about a mail with ``headers``."""
    return _mail(
        BOUNCE.format(
            address=address,
            status=status,
            action=action,
            enclosed=enclosed,
            headers=_headers(headers),
        )
    )


def a_complaint(address: str | None, *, feedback: str = "abuse", **headers: str) -> bytes:
    """Return an abuse report, RFC 5965; with no address it is hidden, as some do."""
    recipient = f"Original-Rcpt-To: <{address}>\n" if address else ""
    return _mail(
        COMPLAINT.format(feedback=feedback, recipient=recipient, headers=_headers(headers))
    )


def a_webhook(address: str, type_name: str = "HardBounce", **given: object) -> bytes:
    """Return a webhook in Postmark's form."""
    known: dict[str, object] = {
        "RecordType": "Bounce",
        "ID": 4323372036854775807,
        "Type": type_name,
        "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483",
        "Email": address,
        "BouncedAt": "2026-06-14T09:00:05Z",
    }
    return json.dumps(known | given).encode()


def signed(body: bytes, secret: str, at_s: float) -> Mapping[str, str]:
    """Return the headers that sign ``body`` at ``at_s``."""
    moment = str(int(at_s))
    text = moment.encode() + b"." + body
    signature = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return {"X-Jubilee-Timestamp": moment, "X-Jubilee-Signature": f"v1={signature}"}


def _headers(headers: Mapping[str, str]) -> str:
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\n".join(["Subject: Happy birthday", *lines])


def _mail(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()
