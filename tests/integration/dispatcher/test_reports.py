"""Bounces and complaints: who may tell them, and what becomes of the address."""

import asyncio
import contextlib
import mailbox
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from contracts import report_events
from contracts.kinds import KINDS
from contracts.user_events import UserRegistered
from libs.clock import FrozenClock
from libs.httpapi.keys import ApiKeys
from libs.httpapi.serve import HttpServer
from libs.ids import occurrence_key, occurrence_uuid
from libs.postgres.types import Pool
from libs.runtime.health import Health
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.adapters.report_mailbox import MailboxBusyError, opened
from services.dispatcher.adapters.suppressions import list_suppressions
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.read_mailbox import read_mailbox
from services.dispatcher.app.take_reports import forget_reports
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.entrypoints.api import create_api
from tests.integration.dispatcher.providers import SENDER
from tests.support.deliveries import TODAY, FakeProvider, a_person, a_request, published, told
from tests.support.publishers import FakePublisher
from tests.support.reports import a_bounce, a_complaint, a_webhook, signed

SECRET = "shared-with-the-provider"
MAIL = "message/rfc822"
JSON = "application/json"

Send = Callable[..., Awaitable[int]]


@contextlib.asynccontextmanager
async def an_api(pool: Pool, clock: FrozenClock, secret: str | None) -> AsyncIterator[str]:
    app = create_api(
        pool=pool,
        clock=clock,
        publisher=FakePublisher(),
        greetings=Greetings(KINDS, message_domain="jubilee.example"),
        writer=MimeWriter(SENDER),
        auth=ApiKeys([]),
        health=Health(),
        report_secret=secret,
    )
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    serving = asyncio.create_task(server.serve())
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        await server.stop()
        await serving


@pytest.fixture
async def send(pool: Pool, clock: FrozenClock) -> AsyncIterator[Send]:
    """Yield what sends a report, signed now unless told otherwise, and returns the status."""
    async with (
        an_api(pool, clock, SECRET) as url,
        aiohttp.ClientSession(url) as session,
    ):

        async def post(
            body: bytes,
            *,
            content_type: str = MAIL,
            age_s: float = 0.0,
            secret: str = SECRET,
            headers: Mapping[str, str] | None = None,
        ) -> int:
            now_s = await pool.fetchval("SELECT extract(epoch FROM clock_timestamp())::float8")
            given = headers if headers is not None else signed(body, secret, now_s - age_s)
            async with session.post(
                "/v1/provider-reports", data=body, headers={**given, "Content-Type": content_type}
            ) as answer:
                await answer.read()
                return answer.status

        yield post


async def suppressed(pool: Pool) -> dict[str, str]:
    async with pool.acquire() as connection:
        listed = await list_suppressions(connection, after="", limit=50)
    return {one.address: one.reason for one in listed}


async def told_of(pool: Pool) -> list[Any]:
    return [event.data for event in await published(pool) if event.type.startswith("mail.")]


@pytest.fixture
async def greeted(courier: Courier, ada: UserRegistered) -> UserRegistered:
    """Return someone who was sent today's mail."""
    await deliver_requests(courier, [a_request(ada.id)])
    return ada


def key_of(person: UserRegistered) -> str:
    return occurrence_key(TODAY, person.id, "birthday")


def headers_of(person: UserRegistered) -> dict[str, str]:
    return {"Message_ID": f"<{occurrence_uuid(key_of(person))}@jubilee.example>"}


async def test_address_that_is_gone_gets_no_further_mail(
    send: Send, pool: Pool, greeted: UserRegistered, courier: Courier, provider: FakeProvider
) -> None:
    assert await send(a_bounce(greeted.email, **headers_of(greeted))) == 200
    assert await suppressed(pool) == {greeted.email: "bounced"}
    [bounced] = await told_of(pool)
    assert bounced == report_events.MailBounced(
        is_suppressed=True, status="5.1.1", local_day=TODAY, person_id=greeted.id, kind="birthday"
    )
    provider.mails.clear()
    await deliver_requests(courier, [a_request(greeted.id, kind="anniversary")])
    assert provider.mails == []


async def test_complaint_suppresses_with_its_own_word(
    send: Send, pool: Pool, greeted: UserRegistered
) -> None:
    assert await send(a_complaint(greeted.email)) == 200
    assert await suppressed(pool) == {greeted.email: "complained"}
    [complained] = await told_of(pool)
    assert isinstance(complained, report_events.MailComplained)


async def test_complaint_that_hides_its_author_is_known_by_the_mail(
    send: Send, pool: Pool, greeted: UserRegistered
) -> None:
    assert await send(a_complaint(None, X_Jubilee_Occurrence=key_of(greeted))) == 200
    assert await suppressed(pool) == {greeted.email: "complained"}


@pytest.mark.parametrize("status", ["4.2.2", "4.4.7", "5.7.1"])
async def test_what_may_pass_or_is_about_us_suppresses_nobody(
    send: Send, pool: Pool, greeted: UserRegistered, status: str
) -> None:
    assert await send(a_bounce(greeted.email, status=status)) == 200
    assert await suppressed(pool) == {}
    assert [one.is_suppressed for one in await told_of(pool)] == [False]


async def test_full_mailbox_is_given_up_after_three_mails_and_not_after_copies(
    send: Send, pool: Pool, ada: UserRegistered
) -> None:
    for number, suppressions in ((1, 0), (1, 0), (1, 0), (2, 0), (3, 1)):
        body = a_bounce(ada.email, status="5.2.2", Message_ID=f"<{number}@jubilee.example>")
        # Another signature each time: a provider that tries again signs anew.
        assert await send(body, age_s=number + len(await told_of(pool)) * 7) in {200, 401}
        assert len(await suppressed(pool)) == suppressions
    assert len(await told_of(pool)) == 3


async def test_bounces_of_long_ago_do_not_count(
    send: Send, pool: Pool, clock: FrozenClock, ada: UserRegistered
) -> None:
    for number in (1, 2, 3):
        body = a_bounce(ada.email, status="5.2.2", Message_ID=f"<{number}@jubilee.example>")
        await send(body)
        clock.advance(timedelta(days=300))
    assert await suppressed(pool) == {}
    await forget_reports(pool, now=clock.now())
    assert await pool.fetchval("SELECT count(*) FROM provider_reports") == 1


async def test_report_that_is_told_twice_changes_nothing_the_second_time(
    send: Send, pool: Pool, greeted: UserRegistered
) -> None:
    body = a_bounce(greeted.email, **headers_of(greeted))
    assert [await send(body), await send(body, age_s=5)] == [200, 200]
    # The same in another form is the same report.
    other = a_webhook(greeted.email, Metadata={"occurrence": key_of(greeted)})
    assert await send(other, content_type=JSON) == 200
    assert len(await told_of(pool)) == 1


async def test_webhook_in_json_is_taken(send: Send, pool: Pool, greeted: UserRegistered) -> None:
    assert await send(a_webhook(greeted.email), content_type=JSON) == 200
    assert await suppressed(pool) == {greeted.email: "bounced"}


@pytest.mark.parametrize(
    ("given", "status"),
    [
        ({"secret": "somebody else's"}, 401),
        ({"age_s": 400}, 401),
        ({"age_s": -400}, 401),
        ({"age_s": 250}, 200),
        ({"headers": {}}, 401),
        ({"headers": {"X-Jubilee-Timestamp": "now", "X-Jubilee-Signature": "v1=zz"}}, 401),
        ({"headers": {"X-Jubilee-Timestamp": "٣", "X-Jubilee-Signature": "v2=00"}}, 401),
        ({"content_type": "text/plain"}, 415),
    ],
    ids=[
        "another secret", "old", "from the future", "in time", "unsigned", "no numbers",
        "odd digits", "another type",
    ],
)  # fmt: skip
async def test_report_is_taken_only_from_who_has_the_secret_and_in_time(
    send: Send, pool: Pool, ada: UserRegistered, given: dict[str, Any], status: int
) -> None:
    assert await send(a_bounce(ada.email), **given) == status
    assert bool(await suppressed(pool)) == (status == 200)


async def test_signature_is_good_for_one_request(
    send: Send, pool: Pool, greeted: UserRegistered
) -> None:
    body = a_bounce(greeted.email)
    headers = signed(body, SECRET, await pool.fetchval("SELECT extract(epoch FROM now())::float8"))
    assert [await send(body, headers=headers), await send(body, headers=headers)] == [200, 401]


async def test_signature_of_a_report_that_failed_is_still_good(send: Send, pool: Pool) -> None:
    body = b"\xff not JSON"
    headers = signed(body, SECRET, await pool.fetchval("SELECT extract(epoch FROM now())::float8"))
    answers = [await send(body, headers=headers, content_type=JSON) for _ in range(2)]
    assert answers == [400, 400]


async def test_report_that_is_too_long_is_refused(send: Send) -> None:
    assert await send(b"x" * 262_145) == 413


async def test_nobody_may_report_where_there_is_no_secret(pool: Pool, clock: FrozenClock) -> None:
    body = a_bounce("ada@example.org")
    async with an_api(pool, clock, None) as url, aiohttp.ClientSession(url) as session:
        headers = {**signed(body, "", 0), "Content-Type": MAIL}
        async with session.post("/v1/provider-reports", data=body, headers=headers) as answer:
            assert answer.status == 401
            problem = await answer.json(content_type=None)
            assert (problem["code"], problem["title"]) == (
                "unsigned",
                "A valid signature is needed",
            )
            assert answer.headers["WWW-Authenticate"] == "Jubilee-Signature"


async def test_simultaneous_copies_are_taken_once(
    send: Send, pool: Pool, greeted: UserRegistered
) -> None:
    body = a_bounce(greeted.email)
    answers = await asyncio.gather(*(send(body, age_s=number) for number in range(8)))
    assert answers == [200] * 8
    assert len(await told_of(pool)) == 1


@pytest.mark.parametrize("form", ["Maildir", "mbox"])
async def test_mailbox_is_read_and_emptied(
    pool: Pool, clock: FrozenClock, greeted: UserRegistered, form: str, tmp_path: Path
) -> None:
    path = tmp_path / "reports"
    box: mailbox.Mailbox[Any] = mailbox.Maildir(path) if form == "Maildir" else mailbox.mbox(path)
    box.add(a_bounce(greeted.email, **headers_of(greeted)))
    box.add(b"Subject: out of office\r\n\r\nI am away.")
    box.add(b"x" * 300_000)
    box.close()
    assert [await read_mailbox(pool, clock, path) for _ in range(2)] == [3, 0]
    assert await suppressed(pool) == {greeted.email: "bounced"}


@pytest.mark.parametrize(
    "forged",
    ["names no mail", "names another mail", "names another address"],
)
async def test_mailed_report_counts_only_where_it_names_a_mail_to_that_address(
    pool: Pool, clock: FrozenClock, greeted: UserRegistered, forged: str, tmp_path: Path
) -> None:
    other = a_person()
    await project_contacts(pool, [told(other)])
    raw = {
        "names no mail": a_bounce(greeted.email),
        "names another mail": a_bounce(greeted.email, **headers_of(other)),
        "names another address": a_bounce(other.email, X_Jubilee_Occurrence=key_of(greeted)),
    }[forged]
    mailbox.Maildir(tmp_path / "reports").add(raw)
    assert await read_mailbox(pool, clock, tmp_path / "reports") == 1
    assert await suppressed(pool) == {}
    assert [one.is_suppressed for one in await told_of(pool)] == [False]


async def test_mailbox_that_is_not_there_is_waited_for(
    pool: Pool, clock: FrozenClock, tmp_path: Path
) -> None:
    assert await read_mailbox(pool, clock, tmp_path / "nowhere") == 0


async def test_folder_that_is_no_mailbox_is_waited_for(
    pool: Pool, clock: FrozenClock, tmp_path: Path
) -> None:
    assert await read_mailbox(pool, clock, tmp_path) == 0


async def test_mail_that_another_reader_took_keeps_nobody_back(
    pool: Pool, clock: FrozenClock, greeted: UserRegistered, tmp_path: Path
) -> None:
    path = tmp_path / "reports"
    mailbox.Maildir(path).add(a_bounce(greeted.email, **headers_of(greeted)))
    (path / "new" / "0.gone").symlink_to(tmp_path / "nowhere")  # listed, and not there to be read
    assert await read_mailbox(pool, clock, path) == 1
    assert await suppressed(pool) == {greeted.email: "bounced"}


async def test_mail_delivered_behind_our_lock_is_not_lost(
    pool: Pool, clock: FrozenClock, greeted: UserRegistered, tmp_path: Path
) -> None:
    path = tmp_path / "reports"
    box = mailbox.mbox(path)
    box.add(b"Subject: out of office\r\n\r\nI am away.")
    box.close()
    other = mailbox.mbox(tmp_path / "other")
    other.add(a_bounce(greeted.email, **headers_of(greeted)))
    other.close()
    with contextlib.suppress(MailboxBusyError), opened(path) as ours:
        arrived = ours.read()
        path.write_bytes(path.read_bytes() + (tmp_path / "other").read_bytes())
        ours.remove(arrived)
    assert await read_mailbox(pool, clock, path) == 2
    assert await suppressed(pool) == {greeted.email: "bounced"}


async def test_nothing_of_a_person_is_logged(
    send: Send, greeted: UserRegistered, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await send(a_bounce(greeted.email, **headers_of(greeted)))
    said = " ".join(str(record.__dict__) for record in caplog.records if "report" in record.msg)
    assert "report.taken" in said
    assert greeted.email not in said
