"""The HTTP service of the original assignment: one mail per request, no way to ask afterwards."""

import asyncio
from collections.abc import Sequence

import aiohttp
import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import OCCURRENCE_HEADER
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import (
    LEASE_SHORT,
    result_of_failure,
    result_of_status,
)
from services.dispatcher.domain.delivery import Accepted, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail

_KEEPALIVE_S = 3.0
"""Shorter than servers keep idle connections: one closed under a request leaves a mail unknown."""


class _Sending(msgspec.Struct, frozen=True, gc=False):
    email: str
    message: str


class _Taken(msgspec.Struct, frozen=True, rename="camel"):
    message_id: str | int


_encoder = msgspec.json.Encoder()
_taken = msgspec.json.Decoder(_Taken)


class VendorProvider:
    """Sends by ``POST <url>/send-email``, at most ``connections`` requests at a time."""

    def __init__(self, url: str, *, connections: int, timeout_s: float) -> None:
        self.traits = Traits(name="vendor", timeout_s=timeout_s, can_find=False)
        self._url = f"{url.rstrip('/')}/send-email"
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            timeout=aiohttp.ClientTimeout(total=timeout_s, connect=timeout_s / 2),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        self._free = asyncio.Semaphore(connections)

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        return await asyncio.gather(*(self._deliver_one(mail, start_before_s) for mail in mails))

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        raise FindError(f"this provider cannot say what became of {occurrence} ({message_id})")

    async def close(self) -> None:
        await self._session.close()

    async def _deliver_one(self, mail: Mail, start_before_s: float) -> Result:
        async with self._free:
            if monotonic_s() >= start_before_s:
                return LEASE_SHORT
            try:
                return await self._post(mail)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                return result_of_failure(error)

    async def _post(self, mail: Mail) -> Result:
        async with self._session.post(
            self._url,
            data=_encoder.encode(_Sending(mail.recipient, mail.text)),
            headers={"Content-Type": "application/json", OCCURRENCE_HEADER: mail.occurrence},
            allow_redirects=False,
        ) as response:
            if response.status == 200:
                return _accepted(await response.read())
            if response.status == 400:
                return Refused("request_refused", response.status)
            retry_after = response.headers.get("Retry-After")
            return result_of_status(response.status, retry_after, is_500_definite=True)


def _accepted(body: bytes) -> Result:
    try:
        return Accepted(str(_taken.decode(body).message_id))
    except msgspec.DecodeError:
        return Unknown("unreadable_answer", 200)
