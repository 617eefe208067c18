"""Two mail vendors' HTTP interfaces: one mail per request, and Postmark's batches of 500.

Postmark: https://postmarkapp.com/developer/api/email-api#send-batch-emails and
https://postmarkapp.com/developer/api/messages-api#outbound-message-search
"""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import count
from urllib.parse import parse_qsl

import msgspec

from deploy.demo.faults import FaultBox
from deploy.demo.http_sink import Answer, Request
from deploy.demo.mail_store import Arrival, MailStore, arrived_now

MAX_BATCH_MAILS = 500

_JSON = msgspec.json.Encoder()
_NOT_TAKEN = {"unavailable": 503, "throttle": 429, "error": 500}


class SingleMail(msgspec.Struct, gc=False):
    """The body of ``POST /send-email``."""

    email: str
    message: str


class PostmarkHeader(msgspec.Struct, gc=False):
    """One extra header of a Postmark mail."""

    Name: str
    Value: str


class PostmarkMail(msgspec.Struct, gc=False):
    """One mail of a Postmark batch, as far as the inbox cares."""

    To: str
    From: str = ""
    Subject: str = ""
    TextBody: str = ""
    HtmlBody: str = ""
    Metadata: dict[str, str] = {}
    Headers: list[PostmarkHeader] = []


class LeanPostmarkMail(msgspec.Struct, gc=False):
    """One mail of a Postmark batch where only its address and occurrence are kept."""

    To: str
    Metadata: dict[str, str] = {}


class PostmarkResult(msgspec.Struct, gc=False, omit_defaults=True):
    """Postmark's word on one mail of a batch; ``ErrorCode`` 0 is a mail taken."""

    ErrorCode: int
    Message: str
    To: str | msgspec.UnsetType = msgspec.UNSET
    SubmittedAt: str | msgspec.UnsetType = msgspec.UNSET
    MessageID: str | msgspec.UnsetType = msgspec.UNSET


class Vendors:
    """Answers the vendors' paths and keeps what they took."""

    def __init__(self, store: MailStore, faults: FaultBox, *, lean: bool = False) -> None:
        self._store = store
        self._faults = faults
        self._single = msgspec.json.Decoder(SingleMail)
        self._batch = msgspec.json.Decoder(list[PostmarkMail])
        self._lean_batch = msgspec.json.Decoder(list[LeanPostmarkMail]) if lean else None
        self._ids = _message_ids()

    def send_email(self, request: Request) -> Answer:
        """Take one mail: ``POST /send-email``."""
        return self._judged(request, self._take_single, vendor=True)

    def email_batch(self, request: Request) -> Answer:
        """Take up to 500 mails with one result each: ``POST /email/batch``."""
        return self._judged(request, self._take_batch)

    def outbound(self, request: Request) -> Answer:
        """Search what was taken: ``GET /messages/outbound``."""
        asked = dict(parse_qsl(request.query))
        found = self._store.find(
            occurrence=asked.get("metadata_occurrence", ""),
            to=asked.get("recipient", ""),
            not_after_s=arrived_now() - self._faults.faults.search_delay_s,
        )
        offset, limit = int(asked.get("offset", "0")), int(asked.get("count", "500"))
        messages = [_outbound_message(mail) for _, mail in found[offset : offset + limit]]
        return _answer({"TotalCount": len(found), "Messages": messages})

    def _judged(
        self, request: Request, take: Callable[[Request], Answer], *, vendor: bool = False
    ) -> Answer:
        before = self._faults.before()
        if before == "drop":
            return Answer(fate="drop")
        if before != "take":
            return self._failure(_NOT_TAKEN[before])
        if vendor and (status := self._faults.vendor_failure()):
            return self._failure(status)
        answer = take(request)
        if answer.status == 200:
            answer = self._after(answer)
        answer.delay_s = self._faults.delay_s(vendor=vendor)
        return answer

    def _after(self, answer: Answer) -> Answer:
        after = self._faults.after()
        if after == "answer":
            return answer
        return self._failure(500) if after == "error" else Answer(fate=after)

    def _take_single(self, request: Request) -> Answer:
        try:
            mail = self._single.decode(request.body)
        except msgspec.DecodeError as error:
            return _answer({"error": str(error)}, status=400)
        if "@" not in mail.email or not mail.message or self._faults.refuses(mail.email):
            return _answer({"error": "email or message refused"}, status=400)
        message_id = next(self._ids)
        headers = request.headers
        arrival = Arrival(
            accepted_s=arrived_now(),
            to=mail.email,
            occurrence=headers.get("x-jubilee-occurrence") or headers.get("idempotency-key", ""),
            message_id=message_id,
            via="vendor",
            text=mail.message,
        )
        self._store.put((arrival,))
        return Answer(body=b'{"messageId":"%s"}' % message_id.encode())

    def _take_batch(self, request: Request) -> Answer:
        try:
            if self._lean_batch is not None:
                return self._take_lean_batch(self._lean_batch.decode(request.body))
            mails = self._batch.decode(request.body)
        except msgspec.DecodeError as error:
            return _answer({"ErrorCode": 403, "Message": str(error)}, status=422)
        if len(mails) > MAX_BATCH_MAILS:
            return _answer({"ErrorCode": 410, "Message": "Too many batch messages"}, status=422)
        now_s = arrived_now()
        arrivals: list[Arrival] = []
        results = [self._take_one(mail, now_s, arrivals) for mail in mails]
        self._store.put(arrivals)
        return _answer(results)

    def _take_one(
        self, mail: PostmarkMail, now_s: float, arrivals: list[Arrival]
    ) -> PostmarkResult:
        if "@" not in mail.To:
            return PostmarkResult(300, "Invalid 'To' address")
        if self._faults.refuses(mail.To):
            return PostmarkResult(406, "Recipient is inactive", To=mail.To)
        message_id = next(self._ids)
        arrivals.append(_postmark_arrival(mail, now_s, message_id))
        return PostmarkResult(0, "OK", mail.To, _stamp(now_s), message_id)

    def _take_lean_batch(self, mails: list[LeanPostmarkMail]) -> Answer:
        now_s = arrived_now()
        stamp = _stamp(now_s)
        self._store.put(
            [
                Arrival(accepted_s=now_s, to="", occurrence=mail.Metadata.get("occurrence", ""))
                for mail in mails
            ]
        )
        return _answer([PostmarkResult(0, "OK", mail.To, stamp, next(self._ids)) for mail in mails])

    def _failure(self, status: int) -> Answer:
        retry_after = (("Retry-After", f"{self._faults.faults.retry_after_s:g}"),)
        headers = retry_after if status in {429, 503} else ()
        answer = _answer({"ErrorCode": 100, "Message": "Not now"}, status=status)
        answer.headers = headers
        return answer


def _postmark_arrival(mail: PostmarkMail, now_s: float, message_id: str) -> Arrival:
    headers = {header.Name.lower(): header.Value for header in mail.Headers}
    named = mail.Metadata.get("occurrence") or headers.get("x-jubilee-occurrence", "")
    return Arrival(
        accepted_s=now_s,
        to=mail.To,
        occurrence=named,
        message_id=headers.get("message-id", message_id).strip("<>"),
        via="postmark",
        sender=mail.From,
        subject=mail.Subject,
        text=mail.TextBody,
        html=mail.HtmlBody,
    )


def _outbound_message(mail: Arrival) -> dict[str, object]:
    return {
        "MessageID": mail.message_id,
        "To": [{"Email": mail.to, "Name": None}],
        "Recipients": [mail.to],
        "ReceivedAt": _stamp(mail.accepted_s),
        "From": mail.sender,
        "Subject": mail.subject,
        "Status": "Sent",
        "Metadata": {"occurrence": mail.occurrence},
    }


def _message_ids() -> Iterator[str]:
    """Return an endless run of ids in the form of UUIDs, cheaper than random ones."""
    prefix = str(uuid.uuid4())[:23]
    return (f"{prefix}-{number:012x}" for number in count(1))


def _stamp(real_s: float) -> str:
    return datetime.fromtimestamp(real_s, UTC).isoformat()


def _answer(body: object, *, status: int = 200) -> Answer:
    return Answer(status=status, body=_JSON.encode(body))
