"""The inbox's own HTTP interface: its page, its mails as JSON, its counts and its faults."""

import re
from pathlib import Path
from urllib.parse import parse_qsl

import msgspec

from deploy.demo.faults import FaultBox
from deploy.demo.http_sink import Answer, Answerer, Request
from deploy.demo.mail_parts import texts_of
from deploy.demo.mail_store import Arrival, MailStore, arrived_now
from deploy.demo.vendors import Vendors

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000

_PAGE = Path(__file__).with_name("inbox.html")
_MAIL_PATH = re.compile(r"/api/messages/(\d+)(/html)?")
_NO_SCRIPTS = (
    ("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'unsafe-inline'"),
)
_ENCODER = msgspec.json.Encoder()


class InboxHttp:
    """Answers every path of the inbox process."""

    def __init__(self, store: MailStore, faults: FaultBox, vendors: Vendors) -> None:
        self._store = store
        self._faults = faults
        self._page = _PAGE.read_bytes()
        self._routes: dict[tuple[str, str], Answerer] = {
            ("POST", "/send-email"): vendors.send_email,
            ("POST", "/email/batch"): vendors.email_batch,
            ("GET", "/messages/outbound"): vendors.outbound,
            ("GET", "/"): lambda _: Answer(
                body=self._page, content_type="text/html; charset=utf-8"
            ),
            ("GET", "/api/messages"): self._list,
            ("DELETE", "/api/messages"): lambda _: self._clear(),
            ("GET", "/api/stats"): lambda _: _json(self._store.stats()),
            ("GET", "/api/count"): lambda _: _json({"count": len(self._store)}),
            ("GET", "/api/times"): lambda _: _json(self._store.times()),
            ("GET", "/health/live"): lambda _: _json({"status": "ok"}),
            ("GET", "/health/ready"): lambda _: _json({"status": "ok"}),
            ("GET", "/control"): lambda _: _json(self._faults.faults),
            ("PUT", "/control"): self._order,
        }

    def answer(self, request: Request) -> Answer:
        """Return the answer to any request."""
        if route := self._routes.get((request.method, request.path)):
            return route(request)
        if request.method == "GET" and (match := _MAIL_PATH.fullmatch(request.path)):
            return self._one(int(match[1]), as_html=bool(match[2]))
        return _json({"error": "no such path"}, status=404)

    def _list(self, request: Request) -> Answer:
        asked = dict(parse_qsl(request.query, keep_blank_values=True))
        found = self._find(asked)
        if "after" in asked:
            found = [entry for entry in found if entry[0] > int(asked["after"])]
        limit = min(int(asked.get("limit", DEFAULT_LIMIT)), MAX_LIMIT)
        return _json({"messages": [_listed(*e) for e in found[:limit]], "total": len(found)})

    def _find(self, asked: dict[str, str]) -> list[tuple[int, Arrival]]:
        if "q" in asked:
            return self._store.search(asked["q"])
        return self._store.find(
            message_id=asked.get("message_id", ""),
            occurrence=asked.get("occurrence", ""),
            to=asked.get("to", ""),
            not_after_s=arrived_now() - self._faults.faults.search_delay_s,
        )

    def _one(self, number: int, *, as_html: bool) -> Answer:
        mail = self._store.get(number)
        if mail is None:
            return _json({"error": "no such mail"}, status=404)
        texts = texts_of(mail)
        if as_html:
            body = (texts.html or texts.text).encode()
            kind = "text/html" if texts.html else "text/plain"
            return Answer(body=body, content_type=f"{kind}; charset=utf-8", headers=_NO_SCRIPTS)
        more = {"text": texts.text, "html": texts.html, "raw": mail.raw, "sender": mail.sender}
        return _json(_listed(number, mail) | more)

    def _clear(self) -> Answer:
        self._store.clear()
        return Answer(status=204)

    def _order(self, request: Request) -> Answer:
        try:
            return _json(self._faults.order(request.body))
        except msgspec.DecodeError as error:
            return _json({"error": str(error)}, status=422)


def _listed(number: int, mail: Arrival) -> dict[str, object]:
    return {
        "number": number,
        "accepted_at": mail.accepted_s,
        "calendar_at": mail.calendar_at,
        "to": mail.to,
        "message_id": mail.message_id,
        "occurrence": mail.occurrence,
        "subject": mail.subject,
        "text": mail.text,
        "via": mail.via,
    }


def _json(body: object, *, status: int = 200) -> Answer:
    return Answer(status=status, body=_ENCODER.encode(body))
