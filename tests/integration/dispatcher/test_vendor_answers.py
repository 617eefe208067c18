"""What each answer of the HTTP vendor, or its absence, means; and that it is asked with care."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import pytest

from libs.clock import monotonic_s
from libs.ids import occurrence_uuid
from services.dispatcher.adapters.providers.http_connections import read_http_url
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail
from tests.integration.dispatcher.providers import TIMEOUT_S, a_mail, pointed_at, port_of
from tests.integration.dispatcher.smtp_server import Authority

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
TAKEN = b'{"messageId":"m-1"}'


class Vendor:
    """A vendor that answers as told; ``bodies`` and ``keys`` are what it was sent."""

    def __init__(
        self, status: int = 200, body: bytes = TAKEN, *, delay_s: float = 0.0, **headers: str
    ) -> None:
        self.bodies: list[bytes] = []
        self.keys: list[str] = []
        self._status, self._body, self._delay_s = status, body, delay_s
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer requests on one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
                self.bodies.append(await reader.readexactly(int(fields["content-length"])))
                self.keys.append(fields["idempotency-key"])
                await asyncio.sleep(self._delay_s)
                lines = "".join(f"{name}: {value}\r\n" for name, value in self._headers.items())
                length = f"Content-Length: {len(self._body)}\r\n"
                answer = f"HTTP/1.1 {self._status} X\r\n{lines}{length}\r\n"
                writer.write(answer.encode() + self._body)
                await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def listening(serve: Answering, **options: object) -> AsyncIterator[int]:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, **options)  # type: ignore[arg-type]
    async with server:
        yield port_of(server)


async def sent(
    port: int, mails: Sequence[Mail], *, timeout_s: float = TIMEOUT_S, keys_live_s: float = 0.0
) -> list[Result]:
    provider = VendorProvider(
        read_http_url(f"http://127.0.0.1:{port}"),
        connections=2,
        timeout_s=timeout_s,
        keys_live_s=keys_live_s,
    )
    try:
        return await provider.deliver(mails, start_before_s=monotonic_s() + 60)
    finally:
        await provider.close()


@pytest.mark.parametrize(
    ("vendor", "result"),
    [
        pytest.param(Vendor(), Accepted("m-1"), id="taken"),
        pytest.param(Vendor(body=b'{"messageId":7}'), Accepted("7"), id="a number for an id"),
        pytest.param(Vendor(body=b"{}"), Unknown("unreadable_answer", 200), id="without messageId"),
        pytest.param(
            Vendor(body=b"<html>"), Unknown("unreadable_answer", 200), id="EC-API-014 not JSON"
        ),
        pytest.param(
            Vendor(500, b"<html>"), Deferred("server_error", 500), id="EC-API-013 EC-API-014"
        ),
        pytest.param(Vendor(400), Refused("request_refused", 400), id="400"),
        pytest.param(Vendor(404), Refused("request_refused", 404), id="EC-API-012 not found"),
        pytest.param(
            Vendor(429, Retry_After="2"), Deferred("rate_limited", 429, 2.0), id="EC-API-006"
        ),
        pytest.param(
            Vendor(503, Retry_After="2"), Deferred("server_error", 503, 2.0), id="EC-API-011"
        ),
        pytest.param(Vendor(502), Unknown("unclear_answer", 502), id="502 may have come after it"),
        pytest.param(
            Vendor(X_RateLimit_Remaining="0", X_RateLimit_Reset="4"),
            Accepted("m-1", 4.0),
            id="EC-API-007 nothing remains",
        ),
        pytest.param(
            Vendor(delay_s=3 * TIMEOUT_S), Unknown("timed_out"), id="EC-API-001 EC-API-005 hangs"
        ),
    ],
)
async def test_answer_means(vendor: Vendor, result: Result) -> None:
    async with listening(vendor.serve) as port:
        assert await sent(port, [a_mail()]) == [result]
        assert len(vendor.bodies) == 1


@pytest.mark.edge_case("EC-API-002")
async def test_refused_connection_sent_nothing() -> None:
    async with listening(Vendor().serve) as port:
        pass
    assert await sent(port, [a_mail()]) == [Deferred("unreachable")]


@pytest.mark.edge_case("EC-API-015")
async def test_connection_cut_after_the_request_may_have_sent_it() -> None:
    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()

    async with listening(cut) as port:
        assert await sent(port, [a_mail()]) == [Unknown("connection_lost")]


@pytest.mark.parametrize("name", ["vendor", "postmark"])
@pytest.mark.edge_case("EC-API-003")
async def test_server_that_cannot_prove_who_it_is_gets_nothing(
    name: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    vendor = Vendor()
    context = Authority(tmp_path_factory.mktemp("ca")).server_context("localhost")
    async with listening(vendor.serve, ssl=context) as port:
        provider = pointed_at(name, port, scheme="https")
        results = await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60)
        await provider.close()
    assert (results, vendor.bodies) == ([Deferred("tls_failed")], [])


@pytest.mark.edge_case("EC-API-004")
async def test_slow_answer_counts_and_is_told_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with listening(Vendor(delay_s=1.05).serve) as port:
        results = await sent(port, [a_mail(1), a_mail(2)], timeout_s=5.0)
    assert results == [Accepted("m-1")] * 2
    [told] = [record for record in caplog.records if record.message == "provider.slow"]
    assert (told.__dict__["calls"], told.__dict__["longest_s"] >= 1) == (2, True)


@pytest.mark.parametrize(
    "vendor",
    [
        Vendor(429, Retry_After="2"),
        Vendor(X_RateLimit_Remaining="0", X_RateLimit_Reset="2"),
    ],
    ids=["refused", "nothing remains"],
)
@pytest.mark.edge_case("EC-API-007", "EC-API-010")
async def test_vendor_that_wants_peace_is_not_sent_the_rest_of_the_batch(vendor: Vendor) -> None:
    async with listening(vendor.serve) as port:
        results = await sent(port, [a_mail(number) for number in range(20)])
    assert len(vendor.bodies) == 2
    assert results[2:] == [Deferred("rate_limited", None, 2.0)] * 18


async def test_same_mail_is_sent_with_the_same_key_and_the_same_bytes() -> None:
    vendor = Vendor()
    mail, other = a_mail(), a_mail()
    async with listening(vendor.serve) as port:
        for one in (mail, mail, other):
            await sent(port, [one])
    assert vendor.keys[:2] == [occurrence_uuid(mail.occurrence)] * 2
    assert vendor.bodies[0] == vendor.bodies[1]
    assert vendor.keys[2] != vendor.keys[0]


@pytest.mark.parametrize(
    ("keys_live_s", "result"),
    [(0.0, Refused("request_refused", 409)), (86_400.0, Unknown("key_in_use", 409))],
    ids=["knows no keys", "honours keys"],
)
async def test_key_that_is_in_use_leaves_the_mail_unknown(
    keys_live_s: float, result: Result
) -> None:
    async with listening(Vendor(409).serve) as port:
        assert await sent(port, [a_mail()], keys_live_s=keys_live_s) == [result]
