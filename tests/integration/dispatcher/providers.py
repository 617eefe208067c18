"""Real local servers for every provider, and how to see what arrived at them."""

import asyncio
import json
import math
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec

from deploy.demo.faults import FaultBox, Faults
from deploy.demo.http_sink import HttpSession
from deploy.demo.inbox_http import InboxHttp
from deploy.demo.mail_store import Arrival, MailStore
from deploy.demo.smtp_sink import SmtpSession
from deploy.demo.vendors import Vendors
from deploy.demo.witness_clock import read_clock
from libs.ids import new_id, occurrence_key, occurrence_uuid
from services.dispatcher.adapters.mime import Sender
from services.dispatcher.adapters.providers.file import FileProvider
from services.dispatcher.adapters.providers.http_connections import read_http_url
from services.dispatcher.adapters.providers.postmark import PostmarkProvider
from services.dispatcher.adapters.providers.provider import Provider
from services.dispatcher.adapters.providers.smtp import SmtpProvider
from services.dispatcher.adapters.providers.smtp_url import read_smtp_url
from services.dispatcher.adapters.providers.vendor import VendorProvider
from services.dispatcher.domain.greeting import Mail
from tests.support.deliveries import NINE, TODAY, FakeProvider

SENDER = Sender("greetings@jubilee.example", "Jubilee")
TIMEOUT_S = 0.4


class Inbox:
    """The demo's inbox inside this process."""

    def __init__(self, store: MailStore, faults: FaultBox, smtp_port: int, http_port: int) -> None:
        self._store = store
        self._faults = faults
        self.smtp_port = smtp_port
        self.http_url = f"http://127.0.0.1:{http_port}"

    def recipients(self) -> list[str]:
        """Return to whom mail arrived, in order."""
        return [mail.to for _, mail in self._store.find(not_after_s=math.inf)]

    def mails(self) -> list[Arrival]:
        """Return all mail that arrived, in order."""
        return [mail for _, mail in self._store.find(not_after_s=math.inf)]

    def misbehave(self, **faults: object) -> None:
        """Order faults."""
        self._faults.order(json.dumps(faults).encode())


class Subject(msgspec.Struct, frozen=True):
    """A provider under test, with a look at what arrived at it."""

    name: str
    provider: Provider
    arrived: Callable[[], list[str]]
    inbox: Inbox


@asynccontextmanager
async def an_inbox() -> AsyncIterator[Inbox]:
    """Yield an inbox that takes everything."""
    loop = asyncio.get_running_loop()
    store = MailStore(read_clock(None))
    faults = FaultBox(Faults())
    answer = InboxHttp(store, faults, Vendors(store, faults)).answer
    smtp = await loop.create_server(lambda: SmtpSession(store, faults), "127.0.0.1", 0)
    http = await loop.create_server(lambda: HttpSession(answer), "127.0.0.1", 0)
    try:
        yield Inbox(store, faults, port_of(smtp), port_of(http))
    finally:
        smtp.close()
        http.close()


@asynccontextmanager
async def a_subject(name: str, folder: Path) -> AsyncIterator[Subject]:
    """Yield the provider of that name, connected to a server of its own."""
    async with an_inbox() as inbox:
        provider, arrived = _made(name, inbox, folder)
        try:
            yield Subject(name, provider, arrived, inbox)
        finally:
            await provider.close()


def smtp_provider(port: int, **options: object) -> SmtpProvider:
    """Return an SMTP provider for a server on this machine."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    server = read_smtp_url(f"smtp://127.0.0.1:{port}?{query}")
    return SmtpProvider(server, sender=SENDER, timeout_s=TIMEOUT_S, lookup_delay_s=0.0)


def pointed_at(name: str, port: int, *, scheme: str = "http") -> Provider:
    """Return the provider of that name for a server on ``port``."""
    if name == "smtp":
        return smtp_provider(port)
    make = _vendor if name == "vendor" else _postmark
    return make(f"{scheme}://127.0.0.1:{port}")


def _vendor(url: str) -> Provider:
    return VendorProvider(read_http_url(url), connections=8, timeout_s=TIMEOUT_S)


def _postmark(url: str) -> Provider:
    return PostmarkProvider(
        url,
        token="token",
        sender=SENDER,
        connections=4,
        timeout_s=TIMEOUT_S,
        lookup_delay_s=0.0,
    )


def a_mail(number: int = 1) -> Mail:
    """Return a mail to a person of their own."""
    key = occurrence_key(TODAY, new_id(), "birthday")
    return Mail(
        occurrence=key,
        message_id=f"{occurrence_uuid(key)}@jubilee.example",
        recipient=f"ada{number}@example.org",
        subject="Happy birthday, Zoë!",
        text="Hey, Zoë 山田 it's your birthday",
        html="<p>Hey</p>",
        sent_at=NINE,
    )


def port_of(server: asyncio.Server) -> int:
    """Return the port a server listens on."""
    port: int = server.sockets[0].getsockname()[1]
    return port


def _made(name: str, inbox: Inbox, folder: Path) -> tuple[Provider, Callable[[], list[str]]]:
    match name:
        case "smtp":
            lookup = f"{inbox.http_url}/api/messages"
            return smtp_provider(inbox.smtp_port, connections=4, lookup=lookup), inbox.recipients
        case "vendor":
            return _vendor(inbox.http_url), inbox.recipients
        case "postmark":
            return _postmark(inbox.http_url), inbox.recipients
        case "file":
            path = folder / "mails.jsonl"
            return FileProvider(path, timeout_s=TIMEOUT_S), lambda: lines_of(path)
    fake = FakeProvider()
    return fake, lambda: [mail.recipient for mail in fake.mails]


def lines_of(path: Path) -> list[str]:
    """Return the recipients in a file of mails; what a crash tore is left out."""
    recipients: list[str] = []
    for line in path.read_bytes().splitlines() if path.exists() else []:
        try:
            recipients.append(msgspec.json.decode(line)["recipient"])
        except msgspec.DecodeError:
            continue
    return recipients
