"""What may be said about a mail depends on how far the SMTP dialogue came."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from libs.clock import monotonic_s
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import SmtpUrlError, read_smtp_url
from services.dispatcher.domain.delivery import Accepted, Deferred, Refused, Result, Unknown
from services.dispatcher.domain.greeting import Mail
from tests.integration.dispatcher.providers import SENDER, TIMEOUT_S, a_mail
from tests.integration.dispatcher.smtp_server import (
    CUT,
    Authority,
    Script,
    SmtpServer,
    an_smtp_server,
)

PIPELINING = ("PIPELINING", "8BITMIME", "SIZE 10485760")
PLAIN = ("8BITMIME",)
LOST = Deferred("connection_lost")


async def sent(
    server: SmtpServer,
    batch: Sequence[Mail],
    *,
    scheme: str = "smtp",
    host: str = "127.0.0.1",
    user: str = "",
    **options: Any,
) -> list[Result]:
    query = "&".join(f"{name}={value}" for name, value in ({"connections": 1} | options).items())
    provider = SmtpProvider(
        read_smtp_url(f"{scheme}://{user}{host}:{server.port}?{query}"),
        sender=SENDER,
        timeout_s=TIMEOUT_S,
        lookup_delay_s=0.0,
    )
    try:
        return await provider.deliver(batch, start_before_s=monotonic_s() + 60)
    finally:
        await provider.close()


@pytest.mark.parametrize("extensions", [PIPELINING, PLAIN], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(
    ("step", "reply", "result", "arrived"),
    [
        ("greeting", CUT, Deferred("unreachable"), 0),
        ("EHLO", CUT, Deferred("unreachable"), 0),
        ("MAIL", CUT, LOST, 0),
        ("RCPT", CUT, LOST, 0),
        ("DATA", CUT, LOST, 0),
        ("end", CUT, Unknown("connection_lost"), 0),
        ("end", b"250 taken\r\n" + CUT, Accepted(""), 1),
        ("end", b"250-taken\r\n" + CUT, Unknown("connection_lost"), 1),
        ("RCPT", b"550 no\r\n" + CUT, Refused("recipient_refused", 550), 0),
    ],
    ids=[
        "before the greeting",
        "before the answer to EHLO",
        "before the answer to MAIL",
        "before the answer to RCPT",
        "before the answer to DATA",
        "after the final dot",
        "after 250",
        "within the answer to the final dot",
        "after a refusal",
    ],
)
async def test_cut_connection_is_unknown_only_after_the_final_dot(
    extensions: tuple[str, ...], step: str, reply: bytes, result: Result, arrived: int
) -> None:
    script = Script(extensions=extensions, replies={step: [reply]})
    async with an_smtp_server(script) as server:
        mail = a_mail()
        expected = Accepted(mail.message_id) if isinstance(result, Accepted) else result
        assert await sent(server, [mail]) == [expected]
        assert (len(server.taken), server.connections) == (arrived, 1)


async def test_connection_cut_in_the_middle_of_a_long_text_is_certain() -> None:
    async with an_smtp_server(Script(cut_in_text_after=1000, extensions=("PIPELINING",))) as server:
        long = replace(a_mail(), text="It's your birthday. " * 1_000_000)
        assert await sent(server, [long]) == [LOST]
        assert server.taken == []


async def test_short_text_that_was_cut_may_have_been_taken_for_all_we_know() -> None:
    async with an_smtp_server(Script(cut_in_text_after=100)) as server:
        assert await sent(server, [a_mail()]) == [Unknown("connection_lost")]
        assert server.taken == []


@pytest.mark.parametrize("extensions", [PIPELINING, PLAIN], ids=["pipelined", "one by one"])
@pytest.mark.parametrize(
    ("step", "reply", "result"),
    [
        ("MAIL", b"451 4.3.0 later\r\n", Deferred("try_later", 451)),
        ("MAIL", b"550 5.7.1 not you\r\n", Deferred("misconfigured", 550)),
        ("MAIL", b"421 4.3.2 closing\r\n" + CUT, Deferred("server_error", 421)),
        ("RCPT", b"450 4.2.0 busy\r\n", Deferred("try_later", 450)),
        ("RCPT", b"550-5.1.1 no such\r\n550 5.1.1 mailbox\r\n", Refused("recipient_refused", 550)),
        ("RCPT", b"421 4.3.2 closing\r\n" + CUT, Deferred("server_error", 421)),
        ("DATA", b"451 4.3.0 later\r\n", Deferred("try_later", 451)),
        ("DATA", b"554 5.5.0 no\r\n", Refused("mail_refused", 554)),
        ("DATA", b"250 what?\r\n", Deferred("server_error", 250)),
        ("end", b"452 4.3.1 disk full\r\n", Deferred("try_later", 452)),
        ("end", b"554 5.6.0 no\r\n", Refused("mail_refused", 554)),
        ("end", b"421 4.3.2 closing\r\n" + CUT, Deferred("server_error", 421)),
        ("end", b"354 what?\r\n", Unknown("unreadable_answer", 354)),
        ("end", b"gibberish\r\n", Unknown("unreadable_answer")),
        ("RCPT", b"gibberish\r\n", LOST),
    ],
    ids=lambda value: value.decode()[:3] if isinstance(value, bytes) else None,
)
async def test_answer_concerns_its_mail_alone(
    extensions: tuple[str, ...], step: str, reply: bytes, result: Result
) -> None:
    script = Script(extensions=extensions, replies={step: [reply]})
    async with an_smtp_server(script) as server:
        first, second, third = a_mail(1), a_mail(2), a_mail(3)
        results = await sent(server, [first, second, third])
        assert results == [result, Accepted(second.message_id), Accepted(third.message_id)]
        assert len(server.taken) == 2


@pytest.mark.parametrize(
    ("step", "reply", "result"),
    [
        ("greeting", b"421 full\r\n", Deferred("server_error", 421)),
        ("greeting", b"554 no\r\n", Deferred("server_error", 554)),
        ("greeting", b"HTTP/1.1 400 what?\r\n", Deferred("misconfigured")),
        ("EHLO", b"421 full\r\n", Deferred("server_error", 421)),
    ],
)
async def test_server_that_lets_nobody_in_is_certain_for_all(
    step: str, reply: bytes, result: Result
) -> None:
    async with an_smtp_server(Script(replies={step: [reply] * 9})) as server:
        assert await sent(server, [a_mail(), a_mail()]) == [result] * 2


async def test_server_without_ehlo_is_spoken_to_plainly() -> None:
    script = Script(replies={"EHLO": [b"502 what?\r\n"], "HELO": []})
    async with an_smtp_server(script) as server:
        # The server knows no HELO either, so it is turned away in words.
        assert await sent(server, [a_mail()]) == [Deferred("server_error", 502)]
        assert server.commands[:2] == [b"EHLO jubilee.example", b"HELO jubilee.example"]


@pytest.mark.parametrize(
    ("step", "result"),
    [
        ("greeting", Deferred("unreachable")),
        ("MAIL", Deferred("timed_out")),
        ("RCPT", Deferred("timed_out")),
        ("DATA", Deferred("timed_out")),
        ("end", Unknown("timed_out")),
    ],
)
@pytest.mark.edge_case("EC-API-005")
async def test_silence_is_cut_off_in_every_phase(step: str, result: Result) -> None:
    async with an_smtp_server(Script(delays_s={step: 3 * TIMEOUT_S})) as server:
        started_s = monotonic_s()
        assert await sent(server, [a_mail()]) == [result]
        assert monotonic_s() - started_s < 2 * TIMEOUT_S + 0.5


async def test_envelope_may_have_less_time_than_the_answer_to_the_text() -> None:
    script = Script(delays_s={"RCPT": 0.2, "end": 0.2})
    async with an_smtp_server(script) as server:
        assert await sent(server, [a_mail()], envelope_s=0.05) == [Deferred("timed_out")]
    async with an_smtp_server(Script(delays_s={"end": 0.2})) as server:
        [answer] = await sent(server, [a_mail()], envelope_s=0.05)
        assert isinstance(answer, Accepted)


async def test_cut_between_mails_leaves_one_unknown_and_sends_the_others() -> None:
    async with an_smtp_server(Script(replies={"end": [b"250 taken\r\n", CUT]})) as server:
        mails = [a_mail(number) for number in range(5)]
        results = await sent(server, mails)
        assert [type(result) for result in results] == [
            Accepted,
            Unknown,
            Accepted,
            Accepted,
            Accepted,
        ]
        assert (len(server.taken), server.connections) == (4, 2)


async def test_server_that_is_lost_again_and_again_ends_every_mail() -> None:
    async with an_smtp_server(Script(replies={"MAIL": [CUT] * 20})) as server:
        assert await sent(server, [a_mail(number) for number in range(4)]) == [LOST] * 4
        assert server.taken == []


async def test_recipient_refused_by_a_server_that_waits_for_the_text_all_the_same() -> None:
    script = Script(replies={"RCPT": [b"550 no\r\n"], "DATA": [b"354 go ahead\r\n"]})
    async with an_smtp_server(script) as server:
        mails = [a_mail(1), a_mail(2)]
        results = await sent(server, mails)
        assert results == [Refused("recipient_refused", 550), Accepted(mails[1].message_id)]
        assert server.taken == [MimeWriter(SENDER).write(mails[1])]


@pytest.mark.parametrize(("extensions", "early"), [(PIPELINING, 2), (PLAIN, 0)])
async def test_mail_costs_one_round_trip_where_the_server_pipelines(
    extensions: tuple[str, ...], early: int
) -> None:
    async with an_smtp_server(Script(extensions=extensions)) as server:
        results = await sent(server, [a_mail(number) for number in range(3)])
        assert all(isinstance(result, Accepted) for result in results)
        # Each envelope but the first came with the text before it, before that was answered.
        assert server.announced_early == early


@pytest.mark.parametrize("drips", [False, True], ids=["whole", "byte by byte"])
async def test_mails_arrive_as_they_were_written(drips: bool) -> None:
    async with an_smtp_server(Script(drips=drips)) as server:
        mails = [replace(a_mail(number), text=".\r\n..dots\n.") for number in range(4)]
        await sent(server, mails)
        assert server.taken == [MimeWriter(SENDER).write(mail) for mail in mails]
        assert server.envelopes == [f"RCPT TO:<{mail.recipient}>".encode() for mail in mails]


async def test_connection_is_given_up_after_its_mails_and_with_a_word() -> None:
    async with an_smtp_server() as server:
        results = await sent(server, [a_mail(number) for number in range(5)], mails=2)
        assert all(isinstance(result, Accepted) for result in results)
        assert (server.connections, server.commands.count(b"QUIT")) == (3, 3)


async def test_connection_that_fails_leaves_its_mails_to_those_that_still_open() -> None:
    script = Script(replies={"greeting": [b"421 full\r\n"] * 2}, delays_s={"EHLO": 0.05})
    async with an_smtp_server(script) as server:
        results = await sent(server, [a_mail(number) for number in range(9)], connections=3)
        assert [type(result) for result in results] == [Accepted] * 9
        assert (len(server.taken), server.connections) == (9, 3)


async def test_size_is_announced_and_a_mail_beyond_it_is_not_tried() -> None:
    async with an_smtp_server(Script(extensions=("PIPELINING", "SIZE 2000"))) as server:
        long = replace(a_mail(), text="It's your birthday. " * 200)
        short, other = a_mail(), a_mail()
        results = await sent(server, [short, long, other])
        assert results[1] == Refused("mail_too_large")
        assert b"SIZE=" in next(line for line in server.commands if line.startswith(b"MAIL"))
        assert len(server.taken) == 2


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return an authority that no system knows."""
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.mark.parametrize("is_tls", [True, False], ids=["from the first byte", "STARTTLS"])
async def test_mails_travel_encrypted(authority: Authority, is_tls: bool) -> None:
    script = Script(tls=authority.server_context("localhost"))
    async with an_smtp_server(script, is_tls=is_tls) as server:
        results = await sent(
            server,
            [a_mail(1), a_mail(2)],
            scheme="smtps" if is_tls else "smtp",
            host="localhost",
            ca=authority.path,
            starttls="never" if is_tls else "required",
        )
        assert all(isinstance(result, Accepted) for result in results)
        assert (b"STARTTLS" in server.commands) is not is_tls


@pytest.mark.parametrize("is_tls", [True, False], ids=["from the first byte", "STARTTLS"])
@pytest.mark.parametrize("fault", ["another name", "unknown authority"])
@pytest.mark.edge_case("EC-API-003")
async def test_server_that_cannot_prove_who_it_is_gets_nothing(
    authority: Authority, is_tls: bool, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    name = "mail.elsewhere.example" if fault == "another name" else "localhost"
    options: dict[str, Any] = {} if fault == "unknown authority" else {"ca": authority.path}
    script = Script(tls=authority.server_context(name))
    async with an_smtp_server(script, is_tls=is_tls) as server:
        scheme = "smtps" if is_tls else "smtp"
        mails = [a_mail(1), a_mail(2)]
        results = await sent(server, mails, scheme=scheme, host="localhost", **options)
        assert results == [Deferred("tls_failed")] * 2
        assert server.taken == []
    assert "provider.not_connected" in caplog.text


async def test_words_slipped_in_before_the_encryption_are_not_the_servers(
    authority: Authority,
) -> None:
    script = Script(tls=authority.server_context("localhost"))
    script.replies["STAR"] = [b"220 go ahead\r\n250 injected\r\n"]
    async with an_smtp_server(script) as server:
        results = await sent(server, [a_mail()], host="localhost", ca=authority.path)
        assert results == [Deferred("misconfigured")]


@pytest.mark.parametrize("ways", ["AUTH PLAIN LOGIN", "AUTH LOGIN", "AUTH XOAUTH2"])
@pytest.mark.parametrize("password", ["secret%2F1", "wrong"])
async def test_login_is_needed_and_made(authority: Authority, ways: str, password: str) -> None:
    script = Script(
        tls=authority.server_context("localhost"),
        extensions=("PIPELINING", ways),
        login=("me@x", "secret/1"),
    )
    async with an_smtp_server(script) as server:
        user = f"me%40x:{password}@"
        [result] = await sent(server, [a_mail()], user=user, host="localhost", ca=authority.path)
        if ways == "AUTH XOAUTH2":
            assert result == Deferred("misconfigured")
        elif password == "wrong":
            assert result == Deferred("unauthorised", 535)
        else:
            assert isinstance(result, Accepted)
        # Nothing of the login in the clear.
        assert server.commands.index(b"STARTTLS") == 1


def test_authorities_that_cannot_be_read_are_a_mistake_in_the_url() -> None:
    server = read_smtp_url("smtps://mail.example?ca=/nowhere/ca.pem")
    with pytest.raises(SmtpUrlError, match="ca"):
        SmtpProvider(server, sender=SENDER, timeout_s=1, lookup_delay_s=0)


async def test_idle_connection_is_ended_before_the_server_would() -> None:
    async with an_smtp_server() as server:
        provider = SmtpProvider(
            read_smtp_url(f"smtp://127.0.0.1:{server.port}?connections=1&idle_s=0.05"),
            sender=SENDER,
            timeout_s=TIMEOUT_S,
            lookup_delay_s=0.0,
        )
        await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60)
        await asyncio.wait_for(server.left.wait(), 5)
        [result] = await provider.deliver([a_mail()], start_before_s=monotonic_s() + 60)
        assert (isinstance(result, Accepted), server.connections) == (True, 2)
        await provider.close()
