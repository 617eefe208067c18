"""The HTTP service of the original assignment: one mail per request, no way to ask afterwards."""

import asyncio
from collections.abc import Sequence

import aiohttp
import msgspec

from libs.clock import monotonic_s
from libs.ids import occurrence_uuid
from services.dispatcher.adapters.mime import OCCURRENCE_HEADER
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

_KEEPALIVE_S = 3.0
"""Shorter than servers keep idle connections: one closed under a request leaves a mail unknown."""
_HELD_BACK = "rate_limited"


class _Sending(msgspec.Struct, frozen=True, gc=False):
    email: str
    message: str


class _Taken(msgspec.Struct, frozen=True, rename="camel"):
    message_id: str | int


_encoder = msgspec.json.Encoder()
_taken = msgspec.json.Decoder(_Taken)


class VendorProvider:
    """Sends by ``POST <url>/send-email``, at most ``connections`` requests at a time.

    Every request carries an ``Idempotency-Key`` that names its occurrence; ``keys_live_s`` is for
    how long the vendor promises to take no second mail under one, 0 where it promises nothing.
    """

    def __init__(
        self, url: str, *, connections: int, timeout_s: float, keys_live_s: float = 0.0
    ) -> None:
        self.traits = Traits(
            name="vendor", timeout_s=timeout_s, can_find=False, keys_live_s=keys_live_s
        )
        self._url = f"{url.rstrip('/')}/send-email"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        self._free = asyncio.Semaphore(connections)

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        batch = _Batch(self, start_before_s)
        results = await asyncio.gather(*(batch.deliver(mail) for mail in mails))
        batch.calls.tell()
        return results

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        raise FindError(f"this provider cannot say what became of {occurrence} ({message_id})")

    async def close(self) -> None:
        await self._session.close()

    @property
    def free(self) -> asyncio.Semaphore:
        """Counts the requests that may still be sent."""
        return self._free

    async def post(self, mail: Mail) -> Result:
        """Send one mail and return what the answer, or its absence, means."""
        try:
            async with self._session.post(
                self._url,
                data=_encoder.encode(_Sending(mail.recipient, mail.text)),
                headers={
                    "Content-Type": "application/json",
                    "Idempotency-Key": occurrence_uuid(mail.occurrence),
                    OCCURRENCE_HEADER: mail.occurrence,
                },
                allow_redirects=False,
            ) as response:
                return self._result(response, await response.read())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return result_of_failure(error)

    def _result(self, response: aiohttp.ClientResponse, body: bytes) -> Result:
        status, headers = response.status, response.headers
        if status == 200:
            return _accepted(body, slow_down_s(headers))
        if status == 409 and self.traits.keys_live_s:
            # The key is known: an earlier request is under way, or was taken with other words.
            return Unknown("key_in_use", status)
        if status == 400:
            return Refused("request_refused", status)
        return result_of_status(status, pause_s(headers), is_500_definite=True)


class _Batch:
    """The requests of one batch; once the vendor wants peace, those not sent yet are held back."""

    def __init__(self, vendor: VendorProvider, start_before_s: float) -> None:
        self.calls = Calls(vendor.traits.name)
        self._vendor = vendor
        self._start_before_s = start_before_s
        self._held_back: Deferred | None = None

    async def deliver(self, mail: Mail) -> Result:
        """Send one mail when its turn comes."""
        async with self._vendor.free:
            if self._held_back is not None:
                return self._held_back
            if monotonic_s() >= self._start_before_s:
                return LEASE_SHORT
            with self.calls.timed():
                result = await self._vendor.post(mail)
        if isinstance(result, Accepted | Deferred) and result.retry_after_s:
            self._held_back = Deferred(_HELD_BACK, None, result.retry_after_s)
        return result


def _accepted(body: bytes, slow_down_for_s: float | None) -> Result:
    try:
        return Accepted(str(_taken.decode(body).message_id), slow_down_for_s)
    except msgspec.DecodeError:
        return Unknown("unreadable_answer", 200)
