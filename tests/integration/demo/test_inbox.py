"""The inbox as a process: mail in by every way, out by its look-ups, kept across SIGKILL."""

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.message import EmailMessage
from pathlib import Path

import aiohttp
import aiosmtplib
import pytest

from deploy.demo.mail_store import read_ledger

OCCURRENCE = "2027-02-28/0192a0c2-0000-7000-8000-000000000001/birthday"
TEXT = "Hey, Zoë 山田 it's your birthday"


class Inbox:
    """A running inbox process and a client for it."""

    def __init__(
        self, process: asyncio.subprocess.Process, smtp_port: int, http: aiohttp.ClientSession
    ) -> None:
        self.process = process
        self.smtp_port = smtp_port
        self.http = http

    async def post(self, path: str, body: object) -> tuple[int, dict[str, str], object]:
        """Return status, headers and JSON of a POST."""
        async with self.http.post(path, json=body) as answer:
            return answer.status, dict(answer.headers), await answer.json()

    async def get(self, path: str, **query: str) -> dict[str, object]:
        """Return the JSON at ``path``."""
        async with self.http.get(path, params=query) as answer:
            document: dict[str, object] = await answer.json()
            return document

    async def order(self, **faults: object) -> None:
        """Order faults."""
        async with self.http.put("/control", json=faults) as answer:
            assert answer.status == 200


@asynccontextmanager
async def _running_inbox(*options: str) -> AsyncIterator[Inbox]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "deploy.demo.inbox", "--smtp-port", "0", "--http-port", "0", *options,
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    ready = json.loads(await process.stdout.readline())
    async with aiohttp.ClientSession(ready["url"]) as http:
        yield Inbox(process, ready["smtp_port"], http)
    if process.returncode is None:
        process.terminate()
        assert await process.wait() == 0


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    """An inbox that errs only when told to."""
    async with _running_inbox() as running:
        yield running


def _mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "greetings@jubilee.example"
    mail["To"] = "zoe@one.example"
    mail["Message-ID"] = "<1@jubilee.example>"
    mail["X-Jubilee-Occurrence"] = OCCURRENCE
    mail["Subject"] = "Happy birthday, Zoë!"
    mail.set_content(TEXT)
    return mail


def _batch(length: int) -> list[dict[str, object]]:
    return [
        {
            "From": "greetings@jubilee.example",
            "To": f"person{number}@one.example",
            "Subject": "Happy birthday!",
            "TextBody": TEXT,
            "Metadata": {"occurrence": f"{OCCURRENCE}{number}"},
        }
        for number in range(length)
    ]


async def test_mail_by_smtp_is_found_by_its_message_id(inbox: Inbox) -> None:
    await aiosmtplib.send(_mail(), hostname="127.0.0.1", port=inbox.smtp_port)
    found = await inbox.get("/api/messages", message_id="<1@jubilee.example>")
    assert found["total"] == 1
    mail = await inbox.get("/api/messages/0")
    assert (mail["occurrence"], str(mail["text"]).strip()) == (OCCURRENCE, TEXT)


async def test_single_mail_is_answered_with_its_message_id(inbox: Inbox) -> None:
    status, _, body = await inbox.post("/send-email", {"email": "a@b.example", "message": TEXT})
    assert status == 200
    assert isinstance(body, dict)
    assert list(body) == ["messageId"]
    assert (await inbox.get("/api/messages", to="a@b.example"))["total"] == 1


async def test_single_mail_without_an_address_is_refused(inbox: Inbox) -> None:
    status, _, _ = await inbox.post("/send-email", {"message": TEXT})
    assert status == 400


async def test_throttled_sender_hears_when_to_come_back(inbox: Inbox) -> None:
    await inbox.order(throttle_next=1, retry_after_s=7)
    status, headers, _ = await inbox.post("/send-email", {"email": "a@b.example", "message": TEXT})
    assert (status, headers["Retry-After"]) == (429, "7")


async def test_batch_answers_every_mail_for_itself(inbox: Inbox) -> None:
    await inbox.order(refuse_to=["person1@one.example"])
    status, _, results = await inbox.post("/email/batch", _batch(3))
    assert status == 200
    assert isinstance(results, list)
    assert [result["ErrorCode"] for result in results] == [0, 406, 0]
    found = await inbox.get("/messages/outbound", metadata_occurrence=f"{OCCURRENCE}2")
    assert found["TotalCount"] == 1


async def test_batch_of_more_than_500_is_refused_whole(inbox: Inbox) -> None:
    status, _, _ = await inbox.post("/email/batch", _batch(501))
    assert status == 422
    assert (await inbox.get("/api/stats"))["count"] == 0


async def test_batch_answered_500_after_accepting_is_found_later(inbox: Inbox) -> None:
    await inbox.order(error_after_accept=1)
    status, _, _ = await inbox.post("/email/batch", _batch(2))
    assert status == 500
    assert (await inbox.get("/api/stats"))["count"] == 2


async def test_hanging_request_is_never_answered_but_taken(inbox: Inbox) -> None:
    await inbox.order(hang_after_accept=1)
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(
            inbox.post("/send-email", {"email": "a@b.example", "message": TEXT}), 0.2
        )
    assert (await inbox.get("/api/stats"))["count"] == 1


async def test_connection_is_cut_after_the_mail_was_taken(inbox: Inbox) -> None:
    await inbox.order(drop_after_accept=1)
    with pytest.raises(aiosmtplib.SMTPServerDisconnected):
        await aiosmtplib.send(_mail(), hostname="127.0.0.1", port=inbox.smtp_port)
    assert (await inbox.get("/api/messages", occurrence=OCCURRENCE))["total"] == 1


async def test_ledger_survives_sigkill(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with _running_inbox("--ledger", str(ledger)) as inbox:
        await inbox.post("/email/batch", _batch(500))
        inbox.process.send_signal(signal.SIGKILL)
        await inbox.process.wait()
    assert len(read_ledger(ledger)) == 500
    async with _running_inbox("--ledger", str(ledger)) as again:
        assert (await again.get("/api/stats"))["count"] == 500


async def test_page_and_mails_load_nothing_from_elsewhere(inbox: Inbox) -> None:
    async with inbox.http.get("/") as answer:
        page = await answer.text()
    assert answer.content_type == "text/html"
    assert "http://" not in page
    assert "https://" not in page


async def test_mail_as_html_runs_no_script(inbox: Inbox) -> None:
    await inbox.post("/email/batch", _batch(1))
    async with inbox.http.get("/api/messages/0/html") as answer:
        assert "sandbox" in answer.headers["Content-Security-Policy"]


async def test_page_lists_the_newest_mail_first(inbox: Inbox) -> None:
    await inbox.post("/email/batch", _batch(3))
    listed = await inbox.get("/api/messages", q="", limit="1")
    assert listed["total"] == 3
    assert isinstance(listed["messages"], list)
    assert listed["messages"][0]["number"] == 2
