"""How each provider fails, and what may be said about the mail then."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from libs.clock import monotonic_s
from services.dispatcher.adapters.providers.file import FileProvider
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import read_smtp_url
from services.dispatcher.domain.delivery import (
    Accepted,
    Deferred,
    Refused,
    Result,
    Unknown,
)
from tests.integration.dispatcher.providers import (
    SENDER,
    TIMEOUT_S,
    Subject,
    a_mail,
    a_subject,
    lines_of,
    pointed_at,
    port_of,
    smtp_provider,
)


async def delivered(subject: Subject, *, mails: int = 1) -> list[Result]:
    return await subject.provider.deliver(
        [a_mail(number) for number in range(mails)], start_before_s=monotonic_s() + 60
    )


@pytest.mark.parametrize(
    ("name", "fault", "result", "arrivals"),
    [
        ("smtp", {"throttle_next": 1}, Deferred("try_later", 450), 0),
        ("smtp", {"error_before_accept": 1}, Deferred("try_later", 451), 0),
        ("smtp", {"unavailable_for_s": 30}, Deferred("server_error", 421), 0),
        ("smtp", {"refuse_next": 1}, Refused("recipient_refused", 550), 0),
        ("smtp", {"drop_before_accept": 1}, Unknown("connection_lost"), 0),
        ("smtp", {"drop_after_accept": 1}, Unknown("connection_lost"), 1),
        ("smtp", {"hang_after_accept": 1}, Unknown("timed_out"), 1),
        ("vendor", {"throttle_next": 1}, Deferred("rate_limited", 429, 1.0), 0),
        ("vendor", {"error_before_accept": 1}, Deferred("server_error", 500), 0),
        ("vendor", {"unavailable_for_s": 30}, Deferred("server_error", 503, 1.0), 0),
        ("vendor", {"refuse_next": 1}, Refused("request_refused", 400), 0),
        ("vendor", {"drop_before_accept": 1}, Unknown("connection_lost"), 0),
        ("vendor", {"drop_after_accept": 1}, Unknown("connection_lost"), 1),
        ("vendor", {"hang_after_accept": 1}, Unknown("timed_out"), 1),
        ("postmark", {"throttle_next": 1}, Deferred("rate_limited", 429, 1.0), 0),
        ("postmark", {"error_before_accept": 1}, Unknown("unclear_answer", 500), 0),
        ("postmark", {"error_after_accept": 1}, Unknown("unclear_answer", 500), 1),
        ("postmark", {"unavailable_for_s": 30}, Deferred("server_error", 503, 1.0), 0),
        ("postmark", {"refuse_next": 1}, Refused("recipient_inactive", 406), 0),
        ("postmark", {"drop_before_accept": 1}, Unknown("connection_lost"), 0),
        ("postmark", {"drop_after_accept": 1}, Unknown("connection_lost"), 1),
        ("postmark", {"hang_after_accept": 1}, Unknown("timed_out"), 1),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_failure_says_only_what_is_certain(
    name: str, fault: dict[str, Any], result: Result, arrivals: int, tmp_path: Path
) -> None:
    async with a_subject(name, tmp_path) as subject:
        subject.inbox.misbehave(**fault)
        assert await delivered(subject) == [result]
        assert len(subject.arrived()) == arrivals


@pytest.mark.parametrize("name", ["smtp", "postmark"])
@pytest.mark.parametrize(
    ("fault", "answer"),
    [("drop_after_accept", Found), ("drop_before_accept", Missing)],
    ids=["taken", "not taken"],
)
async def test_asking_tells_what_a_cut_connection_hid(
    name: str, fault: str, answer: type, tmp_path: Path
) -> None:
    async with a_subject(name, tmp_path) as subject:
        subject.inbox.misbehave(**{fault: 1})
        mail = a_mail()
        await subject.provider.deliver([mail], start_before_s=monotonic_s() + 60)
        found = await subject.provider.find(occurrence=mail.occurrence, message_id=mail.message_id)
        assert isinstance(found, answer)


@pytest.mark.parametrize("name", ["smtp", "vendor", "postmark"])
async def test_refused_mail_does_not_keep_its_neighbours_back(name: str, tmp_path: Path) -> None:
    async with a_subject(name, tmp_path) as subject:
        subject.inbox.misbehave(refuse_to=["ada3@example.org"])
        results = await delivered(subject, mails=8)
        refused = [place for place, result in enumerate(results) if isinstance(result, Refused)]
        assert (refused, len(subject.arrived())) == ([3], 7)


@pytest.mark.parametrize("name", ["smtp", "vendor", "postmark"])
async def test_server_that_is_down_is_certain(name: str, tmp_path: Path) -> None:
    async with a_subject(name, tmp_path) as subject:
        down = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
        port = port_of(down)
        down.close()
        await down.wait_closed()
        provider = pointed_at(name, port)
        results = await provider.deliver(
            [a_mail(n) for n in range(30)], start_before_s=monotonic_s() + 60
        )
        assert results == [Deferred("unreachable")] * 30
        await provider.close()
        assert subject.arrived() == []


@pytest.mark.parametrize(
    ("status", "body", "result"),
    [
        (200, b"<html>", Unknown("unreadable_answer", 200)),
        (200, b"[]", Unknown("unreadable_answer", 200)),
        (404, b"", None),
        (401, b"", Deferred("unauthorised", 401)),
    ],
    ids=["not JSON", "not ours", "not found", "wrong token"],
)
@pytest.mark.parametrize("name", ["vendor", "postmark"])
async def test_strange_answers_are_understood_with_care(
    name: str, status: int, body: bytes, result: Result | None
) -> None:
    async with answering(status, body) as port:
        provider = pointed_at(name, port)
        expected = result or (
            Refused("request_refused", 404) if name == "vendor" else Deferred("misconfigured", 404)
        )
        assert await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60) == [expected]
        await provider.close()


async def test_smtp_server_that_hangs_up_between_mails_costs_nothing() -> None:
    taken: list[bytes] = []
    async with smtp_stub(taken, mails_per_connection=1) as port:
        provider = smtp_provider(port, connections=1)
        for number in range(3):
            results = await provider.deliver([a_mail(number)], start_before_s=monotonic_s() + 60)
            assert isinstance(results[0], Accepted)
        await provider.close()
    assert len(taken) == 3


async def test_smtp_server_that_never_greets_is_certain() -> None:
    async with silent() as port:
        provider = smtp_provider(port)
        results = await provider.deliver([a_mail(), a_mail()], start_before_s=monotonic_s() + 60)
        assert results == [Deferred("unreachable")] * 2
        await provider.close()


@pytest.mark.parametrize(
    ("start_tls", "result"),
    [("never", Accepted), ("required", Deferred)],
    ids=["openly, as asked", "not without TLS"],
)
async def test_smtp_credentials_travel_openly_only_where_asked(
    start_tls: str, result: type, tmp_path: Path
) -> None:
    async with a_subject("smtp", tmp_path) as subject:
        url = f"smtp://me:secret@127.0.0.1:{subject.inbox.smtp_port}?starttls={start_tls}"
        provider = SmtpProvider(
            read_smtp_url(url), sender=SENDER, timeout_s=TIMEOUT_S, lookup_delay_s=0.0
        )
        [answer] = await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60)
        assert isinstance(answer, result)
        await provider.close()


async def test_smtp_without_look_up_cannot_be_asked() -> None:
    provider = smtp_provider(1)
    assert not provider.traits.can_find
    with pytest.raises(FindError):
        await provider.find(occurrence="x", message_id="y")
    await provider.close()


async def test_file_torn_by_a_crash_is_mended_by_the_next_mail(tmp_path: Path) -> None:
    path = tmp_path / "mails.jsonl"
    path.write_bytes(b'{"occurrence":"2026-06-14/half a l')
    provider = FileProvider(path, timeout_s=1)
    mail = a_mail()
    await provider.deliver([mail], start_before_s=monotonic_s() + 60)
    assert lines_of(path) == [mail.recipient]
    found = await provider.find(occurrence=mail.occurrence, message_id=mail.message_id)
    assert found == Found(mail.message_id)


async def test_file_that_cannot_be_opened_is_certain(tmp_path: Path) -> None:
    provider = FileProvider(tmp_path / "nowhere" / "mails.jsonl", timeout_s=1)
    results = await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60)
    assert results == [Deferred("unreachable")]


@contextlib.asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[int]:
    """Yield the port of a server that answers every request alike."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield port_of(server)


@contextlib.asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """Yield the port of a server that accepts connections and says nothing."""
    clients: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _, client: clients.append(client), "127.0.0.1", 0)
    async with server:
        yield port_of(server)
        for client in clients:
            client.close()


@contextlib.asynccontextmanager
async def smtp_stub(taken: list[bytes], *, mails_per_connection: int) -> AsyncIterator[int]:
    """Yield the port of an SMTP server that cuts a connection after so many mails."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 stub\r\n")
        mails = 0
        while mails < mails_per_connection and (line := await reader.readline()):
            if line.startswith(b"DATA"):
                writer.write(b"354 go\r\n")
                taken.append(await reader.readuntil(b"\r\n.\r\n"))
                mails += 1
            writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield port_of(server)
