"""The HTTP service of the original assignment: one mail per request, no way to ask afterwards."""

import asyncio
import logging
from collections import deque
from collections.abc import Sequence

import msgspec

from libs.clock import monotonic_s
from libs.ids import occurrence_uuid
from services.dispatcher.adapters.mime import OCCURRENCE_HEADER
from services.dispatcher.adapters.providers.http_connections import HttpConnections, HttpTarget
from services.dispatcher.adapters.providers.http_wire import (
    Answer,
    HttpWire,
    HungUpError,
    UnreadableAnswerError,
)
from services.dispatcher.adapters.providers.limits import pause_s, slow_down_s
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import (
    LEASE_SHORT,
    NotConnectedError,
    result_of_lost_answer,
    result_of_status,
)
from services.dispatcher.adapters.providers.slowness import Calls
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail

logger = logging.getLogger(__name__)

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
        self, target: HttpTarget, *, connections: int, timeout_s: float, keys_live_s: float = 0.0
    ) -> None:
        self.traits = Traits(
            name="vendor", timeout_s=timeout_s, can_find=False, keys_live_s=keys_live_s
        )
        self.kept = HttpConnections(target, opening_s=timeout_s / 2)
        self._head = target.head(
            "POST",
            "/send-email",
            {"Accept": "application/json", "Content-Type": "application/json"},
        )
        self._connections = connections
        self._free = asyncio.Semaphore(connections)

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        batch = _Batch(self, mails, start_before_s)
        workers = min(self._connections, len(mails))
        try:
            await asyncio.gather(*(batch.work() for _ in range(workers)))
        finally:
            batch.calls.tell()
        batch.give_up()
        return batch.results

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        raise FindError(f"this provider cannot say what became of {occurrence} ({message_id})")

    async def close(self) -> None:
        await self.kept.close()

    @property
    def free(self) -> asyncio.Semaphore:
        """Counts the connections that may still be used."""
        return self._free

    async def post(self, wire: HttpWire, mail: Mail) -> Result:
        """Send one mail and return what the answer, or its absence, means."""
        try:
            answer = await wire.ask(self._request(mail), within_s=self.traits.timeout_s)
        except (HungUpError, UnreadableAnswerError, TimeoutError) as error:
            return result_of_lost_answer(error)
        return self._result(answer)

    def _request(self, mail: Mail) -> bytes:
        body = _encoder.encode(_Sending(mail.recipient, mail.text))
        lines = (
            f"Idempotency-Key: {occurrence_uuid(mail.occurrence)}\r\n"
            f"{OCCURRENCE_HEADER}: {mail.occurrence}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return self._head + lines.encode("ascii") + body

    def _result(self, answer: Answer) -> Result:
        status, headers = answer.status, answer.headers
        if status == 200:
            return _accepted(answer.body, slow_down_s(headers))
        if status == 409 and self.traits.keys_live_s:
            # The key is known: an earlier request is under way, or was taken with other words.
            return Unknown("key_in_use", status)
        if status == 400:
            return Refused("request_refused", status)
        return result_of_status(status, pause_s(headers), is_500_definite=True)


class _Batch:
    """Mails shared out among workers.

    Once the vendor is out of reach, or wants peace, those not sent yet are held back.
    """

    def __init__(
        self, vendor: VendorProvider, mails: Sequence[Mail], start_before_s: float
    ) -> None:
        self.results: list[Result] = [LEASE_SHORT] * len(mails)
        self.calls = Calls(vendor.traits.name)
        self._vendor = vendor
        self._mails = mails
        self._waiting = deque(range(len(mails)))
        self._start_before_s = start_before_s
        self._held_wires = 0
        self._not_connected: Deferred | None = None

    async def work(self) -> None:
        """Send mails over one connection after the other until none is left.

        Without a connection what waits is left to the workers that have one, or still try.
        """
        async with self._vendor.free:
            while self._waiting and not self._is_late() and not self._is_out_of_reach:
                try:
                    wire = await self._vendor.kept.take()
                except NotConnectedError as error:
                    self._not_connected = error.result
                    return
                await self._use(wire)

    def give_up(self) -> None:
        """Hold back what no worker had a connection for."""
        if self._not_connected is None:
            return
        reason = self._not_connected.reason
        logger.warning("provider.not_connected", extra={"provider": "vendor", "reason": reason})
        self._hold_back(self._not_connected)

    @property
    def _is_out_of_reach(self) -> bool:
        return self._not_connected is not None and not self._held_wires

    def _is_late(self) -> bool:
        return monotonic_s() >= self._start_before_s

    async def _use(self, wire: HttpWire) -> None:
        self._held_wires += 1
        try:
            await self._send_over(wire)
        finally:
            self._held_wires -= 1
            self._vendor.kept.give_back(wire)

    async def _send_over(self, wire: HttpWire) -> None:
        while self._waiting and wire.is_usable:
            started_s = monotonic_s()
            if started_s >= self._start_before_s:
                return
            place = self._waiting.popleft()
            result = await self._vendor.post(wire, self._mails[place])
            self.calls.note(monotonic_s() - started_s)
            self.results[place] = result
            if isinstance(result, Accepted | Deferred) and result.retry_after_s:
                self._hold_back(Deferred(_HELD_BACK, None, result.retry_after_s))

    def _hold_back(self, result: Deferred) -> None:
        for place in self._waiting:
            self.results[place] = result
        self._waiting.clear()


def _accepted(body: bytes, slow_down_for_s: float | None) -> Result:
    try:
        return Accepted(str(_taken.decode(body).message_id), slow_down_for_s)
    except msgspec.DecodeError:
        return Unknown("unreadable_answer", 200)
