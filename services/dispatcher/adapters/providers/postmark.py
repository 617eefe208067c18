"""Postmark's batch API: up to 500 mails a request, a result per mail, a search to ask afterwards.

Sources: https://postmarkapp.com/developer/api/email-api#send-batch-emails,
https://postmarkapp.com/developer/api/messages-api#outbound-message-search and
https://postmarkapp.com/developer/api/overview#error-codes
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import aiohttp
import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import (
    OCCURRENCE_HEADER,
    Sender,
    from_header,
    unsubscribe_headers,
)
from services.dispatcher.adapters.providers.limits import pause_s, slow_down_s
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import (
    LEASE_SHORT,
    result_of_failure,
    result_of_status,
)
from services.dispatcher.adapters.providers.slowness import Calls
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail

MAX_BATCH_MAILS = 500

_KEEPALIVE_S = 3.0
_REFUSALS = {300: "address_refused", 406: "recipient_inactive"}
_NOT_NOW = {
    10: "unauthorised",
    100: "server_error",
    400: "misconfigured",
    401: "misconfigured",
    405: "out_of_credit",
    412: "misconfigured",
    413: "misconfigured",
}
"""Error codes that say something about the account or the service, not about the mail."""


class _Header(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    name: str
    value: str


class _Metadata(msgspec.Struct, frozen=True, gc=False):
    occurrence: str


class _Message(msgspec.Struct, frozen=True, kw_only=True, rename="pascal", gc=False):
    sender: str = msgspec.field(name="From")
    to: str
    subject: str
    text_body: str
    html_body: str
    headers: tuple[_Header, ...]
    metadata: _Metadata
    message_stream: str = "outbound"
    track_opens: bool = False


class _Result(msgspec.Struct, frozen=True, rename="pascal", gc=False):
    error_code: int
    message_id: str = msgspec.field(name="MessageID", default="")


class _FoundMessage(msgspec.Struct, frozen=True):
    message_id: str = msgspec.field(name="MessageID")


class _Search(msgspec.Struct, frozen=True, rename="pascal"):
    messages: list[_FoundMessage]


_KEEP_ID = _Header("X-PM-KeepID", "true")
_encoder = msgspec.json.Encoder()
_results = msgspec.json.Decoder(list[_Result])
_search = msgspec.json.Decoder(_Search)


class PostmarkProvider:
    """Sends by ``POST <url>/email/batch`` and finds by the occurrence in the metadata.

    ``lookup_delay_s`` is how long after a mail was taken the search may still not show it.
    """

    def __init__(
        self,
        url: str,
        *,
        token: str,
        sender: Sender,
        connections: int,
        timeout_s: float,
        lookup_delay_s: float,
    ) -> None:
        self.traits = Traits(
            name="postmark", timeout_s=timeout_s, can_find=True, lookup_delay_s=lookup_delay_s
        )
        self._url = url.rstrip("/")
        self._from = from_header(sender)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2),
            headers={
                "Accept": "application/json",
                "Content-Type": "application/json",
                "X-Postmark-Server-Token": token,
            },
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        self._free = asyncio.Semaphore(connections)

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        batches = [
            mails[start : start + MAX_BATCH_MAILS]
            for start in range(0, len(mails), MAX_BATCH_MAILS)
        ]
        calls = Calls(self.traits.name)
        answers = [await self._deliver_batch(batch, start_before_s, calls) for batch in batches]
        calls.tell()
        return [result for answer in answers for result in answer]

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        try:
            async with self._session.get(
                f"{self._url}/messages/outbound",
                params={"count": "1", "offset": "0", "metadata_occurrence": occurrence},
                allow_redirects=False,
            ) as response:
                body = await response.read()
                if response.status != 200:
                    raise FindError(f"{message_id}: the search answered {response.status}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise FindError(f"{message_id}: {type(error).__name__}") from error
        return _found(body)

    async def close(self) -> None:
        await self._session.close()

    async def _deliver_batch(
        self, mails: Sequence[Mail], start_before_s: float, calls: Calls
    ) -> list[Result]:
        body = _encoder.encode([self._message(mail) for mail in mails])
        async with self._free:
            if monotonic_s() >= start_before_s:
                return [LEASE_SHORT] * len(mails)
            try:
                with calls.timed():
                    return await self._post(body, len(mails))
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return [result_of_failure(error)] * len(mails)

    async def _post(self, body: bytes, mails: int) -> list[Result]:
        async with self._session.post(
            f"{self._url}/email/batch", data=body, allow_redirects=False
        ) as response:
            if response.status == 200:
                results = _read_results(await response.read(), mails)
                return _slowed_down(results, slow_down_s(response.headers))
            answer = result_of_status(response.status, pause_s(response.headers))
            if isinstance(answer, Refused):
                # The request as a whole was refused: that is about us, not about 500 people.
                answer = Deferred("misconfigured", response.status)
            return [answer] * mails

    def _message(self, mail: Mail) -> _Message:
        return _Message(
            sender=self._from,
            to=mail.recipient,
            subject=mail.subject,
            text_body=mail.text,
            html_body=mail.html,
            headers=(
                _Header("Message-ID", f"<{mail.message_id}>"),
                _KEEP_ID,
                *(_Header(name, value) for name, value in unsubscribe_headers(mail)),
                _Header(OCCURRENCE_HEADER, mail.occurrence),
            ),
            metadata=_Metadata(mail.occurrence),
        )


def _read_results(body: bytes, mails: int) -> list[Result]:
    try:
        results: list[Any] = _results.decode(body)
    except msgspec.DecodeError:
        return [Unknown("unreadable_answer", 200)] * mails
    if len(results) != mails:
        return [Unknown("unreadable_answer", 200)] * mails
    return [_result(result) for result in results]


def _slowed_down(results: list[Result], for_s: float | None) -> list[Result]:
    """Return ``results`` with the pause that the answer as a whole asks for, if it does."""
    if for_s is None:
        return results
    return [
        msgspec.structs.replace(result, retry_after_s=for_s)
        if isinstance(result, Accepted)
        else result
        for result in results
    ]


def _result(result: _Result) -> Result:
    code = result.error_code
    if code == 0:
        return Accepted(result.message_id)
    if reason := _NOT_NOW.get(code):
        return Deferred(reason, code)
    return Refused(_REFUSALS.get(code, "mail_refused"), code)


def _found(body: bytes) -> Found | Missing:
    try:
        messages = _search.decode(body).messages
    except msgspec.DecodeError as error:
        raise FindError(str(error)) from error
    return Found(messages[0].message_id) if messages else Missing()
