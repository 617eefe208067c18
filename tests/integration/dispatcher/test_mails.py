"""Mails as they leave a whole dispatcher: signed, previewed, re-worded, and ended by one click."""

import asyncio
import email
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.policy import SMTP
from pathlib import Path
from typing import Any

import aiohttp
import dkim  # type: ignore[import-untyped]
import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from contracts import codec, dispatch, topology, user_events
from contracts.kinds import KINDS, Template
from contracts.recipient_events import RECIPIENT_BLOCKS_CHANGED
from contracts.user_events import UserRegistered
from deploy.native.processes import free_port
from libs.broker.connection import open_broker
from libs.clock import monotonic_s
from libs.httpapi.keys import KeysFile, new_key
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.runtime.stopping import Stopping, set_current
from libs.settings import read_settings
from services.dispatcher import wiring
from services.dispatcher.adapters.dkim import DkimSigner
from services.dispatcher.adapters.pauses import pause_provider
from services.dispatcher.app.publish_texts import publish_text
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.texts import PublishedText
from services.dispatcher.settings import DispatcherSettings
from tests.integration.dispatcher.providers import Inbox, an_inbox
from tests.support.databases import fresh_database
from tests.support.deliveries import NINE, a_person, a_request, told
from tests.support.town import until
from tests.support.vhosts import fresh_vhost

KEY = rsa.generate_private_key(65537, 2048)
SIGNER = DkimSigner(KEY, domain="jubilee.example", selector="s1")
DAY = "/v1/deliveries/2026-06-14"
GOOD = {"subject": "{{first_name}}", "text": "Hi {{ first_name }}", "html": "{{first_name}}"}


class Office:
    """A running dispatcher, its inbox, and the ways to talk to it."""

    def __init__(self, broker: Any, http: aiohttp.ClientSession, inbox: Inbox, pool: Pool) -> None:
        self._broker = broker
        self.http = http
        self.inbox = inbox
        self.pool = pool
        self.heard: list[Any] = []

    async def listen(self) -> None:
        """Hear all events, as any foreign consumer would."""
        queue = topology.work_queue("foreign.v1", exchange=topology.EVENTS, routing_keys=("#",))
        await self._broker.declare(topology.EXCHANGES, [queue])

        async def hear(delivery: Any) -> None:
            self.heard += codec.decode(delivery.type_name, delivery.body)

        await self._broker.consume("foreign.v1", hear)

    async def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Return status and decoded body."""
        async with self.http.request(method, path, json=body) as answer:
            text = await answer.read()
            return answer.status, msgspec.json.decode(text) if text else None

    async def post(self, path: str, form: Any) -> tuple[int, str]:
        """Return status and page of a form that somebody without a key sends."""
        async with (
            aiohttp.ClientSession(self.http._base_url) as stranger,
            stranger.post(path, data=form) as answer,
        ):
            return answer.status, await answer.text()

    async def meet(self, **changes: Any) -> UserRegistered:
        """Tell of a person and wait until the dispatcher knows him."""
        person = a_person(**changes)
        body = codec.encode([told(person)])
        await self._publish(topology.EVENTS, user_events.USER_REGISTERED, body)
        query = "SELECT 1 FROM contacts WHERE person_id = $1"
        await until(lambda: self.pool.fetchval(query, person.id))
        return person

    async def request(self, person: UserRegistered, **changes: Any) -> None:
        """Ask for a person's mail."""
        one = told(a_request(person.id, **changes), dispatch.DISPATCH_REQUESTED)
        await self._publish(topology.COMMANDS, dispatch.DISPATCH_REQUESTED, codec.encode([one]))

    async def mail_to(self, person: UserRegistered, **changes: Any) -> str:
        """Return the bytes of the mail that a person gets."""
        await self.request(person, **changes)
        mail = await until(lambda: self._arrived(person))
        raw: str = mail.raw
        return raw

    async def outcome_of(self, person: UserRegistered, kind: str = "birthday") -> tuple[str, str]:
        """Return type and reason of the last step of a person's occurrence."""

        async def last() -> tuple[str, str] | None:
            status, story = await self.call("GET", f"{DAY}/{person.id}/{kind}")
            steps = story["steps"] if status == 200 else []
            done = [step for step in steps if step["step"] > 0]
            return (done[-1]["type"], done[-1]["reason"]) if done else None

        return await until(last)

    async def _arrived(self, person: UserRegistered) -> Any:
        return next((mail for mail in self.inbox.mails() if mail.to == person.email), None)

    async def _publish(self, exchange: str, type_name: str, body: bytes) -> None:
        await self._broker.publisher.publish(exchange, type_name, body, items=1, message_id="test")


@asynccontextmanager
async def an_office(database_url: str, vhost: str, folder: Path) -> AsyncIterator[Office]:
    """Yield a dispatcher in this process that sends by SMTP; its calendar stands still."""
    (folder / "dkim.pem").write_bytes(
        KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    key, token = new_key("test")
    (folder / "keys.json").write_bytes(msgspec.json.encode(KeysFile([key])))
    port, stopping = free_port(), Stopping()
    async with an_inbox() as inbox, open_broker(vhost, name="test") as broker:
        settings = read_settings(
            DispatcherSettings,
            "DISPATCHER",
            {
                "DISPATCHER_DATABASE_URL": database_url,
                "DISPATCHER_BROKER_URL": vhost,
                "DISPATCHER_HTTP_PORT": str(port),
                "DISPATCHER_API_KEYS_FILE": str(folder / "keys.json"),
                "DISPATCHER_PROVIDER_URL": f"smtp://127.0.0.1:{inbox.smtp_port}",
                "DISPATCHER_SENDER_NAME": "Jürgen vom Jubiläum",
                "DISPATCHER_DKIM_DOMAIN": "jubilee.example",
                "DISPATCHER_DKIM_SELECTOR": "s1",
                "DISPATCHER_DKIM_KEY_FILE": str(folder / "dkim.pem"),
                "DISPATCHER_UNSUBSCRIBE_URL": "https://mail.jubilee.example/unsubscribe",
                "DISPATCHER_UNSUBSCRIBE_KEYS": f"{'new' * 12}, {'old' * 12}",
                "JUBILEE_CLOCK": f"2026-06-14T09:00:05Z;rate=0;since={time.time():.3f}",
            },
        )

        async def run() -> None:
            set_current(stopping)
            await wiring.run(settings, frozenset(wiring.ROLES))

        process = asyncio.create_task(run())
        headers = {"Authorization": f"Bearer {token}"}
        async with (
            aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as http,
            open_pool(database_url, name="test", size=2) as pool,
        ):
            office = Office(broker, http, inbox, pool)
            await until(lambda: _is_ready(http, process))
            await office.listen()
            try:
                yield office
            finally:
                stopping.begin("test")
                await process


async def _is_ready(http: aiohttp.ClientSession, process: asyncio.Task[None]) -> bool | None:
    if process.done():
        process.result()
    try:
        async with http.get("/health/ready") as answer:
            return answer.status == 200 or None
    except aiohttp.ClientConnectionError:
        return None


@pytest.fixture(scope="module")
async def office(
    pg_url: str, amqp_url: str, amqp_api: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Office]:
    """Yield a running dispatcher with all roles."""
    async with (
        fresh_database(pg_url, *wiring.MIGRATIONS) as database_url,
        fresh_vhost(amqp_url, amqp_api) as vhost,
        an_office(database_url, vhost, tmp_path_factory.mktemp("office")) as one,
    ):
        yield one


def link_in(raw: str) -> str:
    """Return the path of the link by which a mail is ended."""
    link = str(email.message_from_string(raw, policy=SMTP)["List-Unsubscribe"])
    assert link.startswith("<https://mail.jubilee.example/unsubscribe/")
    return link.strip("<>").removeprefix("https://mail.jubilee.example")


@pytest.mark.parametrize(
    ("kind", "years", "locale", "first_name"),
    [
        ("birthday", None, "en", "Ada"),
        ("birthday", 30, "de-AT", "Zoë <b>"),
        ("anniversary", 1, "fr", "Anaïs 👩‍👩‍👧"),
        ("anniversary", 50, "ja", "花子"),
        ("anniversary", 0, "en", ".\u202edots"),
    ],
)
async def test_preview_is_what_is_sent_to_the_byte(
    office: Office, kind: str, years: int | None, locale: str, first_name: str
) -> None:
    person = await office.meet(locale=locale, first_name=first_name)
    asked = {"person_id": str(person.id), "kind": kind, "local_day": "2026-06-14"}
    status, before = await office.call("POST", "/v1/previews", {**asked, "years": years})
    raw = await office.mail_to(person, kind=kind, years=years)
    assert (status, before["raw"]) == (200, raw)
    _, afterwards = await office.call("POST", "/v1/previews", asked)
    assert afterwards == before
    assert before["sent_at"] == "2026-06-14T09:00:05Z"


async def test_sent_mail_is_signed_for_everyone_to_verify(office: Office) -> None:
    raw = await office.mail_to(await office.meet(last_name="Ünal\n"))
    assert dkim.verify(raw.encode(), dnsfunc=lambda *_, **__: SIGNER.record.encode())
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw


async def test_published_text_is_sent_by_every_process_within_two_seconds(office: Office) -> None:
    elsewhere = Greetings(KINDS, message_domain="jubilee.example")
    text = Template(subject="Olá", text="Olá {{ first_name }}", html="{{ first_name }}")
    published = PublishedText(0, "birthday", "pt", text)
    version = await publish_text(office.pool, elsewhere, published, now=NINE, by="elsewhere")
    started_s = monotonic_s()

    async def is_sent() -> bool | None:
        raw = await office.mail_to(await office.meet(locale="pt-BR"))
        return True if "Subject: =?utf-8?b?T2zDoQ==?=" in raw else None

    await until(is_sent)
    assert monotonic_s() - started_s < 2.0
    person = await office.meet(locale="pt")
    await office.mail_to(person)
    _, story = await office.call("GET", f"{DAY}/{person.id}/birthday")
    assert [step["template_version"] for step in story["steps"]] == [None, version]
    assert story["steps"][0]["texts_as_of"] >= 1


async def test_texts_are_published_rolled_back_and_taken_back(office: Office) -> None:
    person = await office.meet(locale="it")
    asked = {"person_id": str(person.id), "kind": "birthday"}

    async def text_now(**wishes: Any) -> str:
        _, shown = await office.call("POST", "/v1/previews", {**asked, **wishes})
        text: str = shown["text"]
        return text

    new = {"kind": "birthday", "locale": "it", **GOOD}
    _, first = await office.call("POST", "/v1/templates", {**new, "text": "Ciao {{ first_name }}"})
    status, second = await office.call("POST", "/v1/templates", new)
    assert (status, second["version"]) == (201, first["version"] + 1)
    assert await text_now() == "Hi Ada"
    assert await text_now(template_version=first["version"]) == "Ciao Ada"
    assert await text_now(template_version=0) == "Hey, Ada Lovelace it's your birthday"
    assert await text_now(locale="de", template_version=0) == (
        "Hallo Ada Lovelace, alles Gute zum Geburtstag!"
    )
    path = f"/v1/templates/{first['version']}/activate"
    assert (await office.call("POST", path))[0] == 200
    assert await text_now() == "Ciao Ada"
    _, listed = await office.call("GET", "/v1/templates?limit=2")
    assert [(one["version"], one["is_active"], one["published_by"]) for one in listed["items"]] == [
        (second["version"], False, "test"),
        (first["version"], True, "test"),
    ]
    shipped = {"kind": "birthday", "locale": "it"}
    assert (await office.call("POST", "/v1/templates/shipped", shipped))[0] == 200
    assert await text_now() == "Hey, Ada Lovelace it's your birthday"
    assert (await office.call("POST", "/v1/templates/99999/activate"))[0] == 404


async def test_publishing_what_holds_already_changes_nothing(office: Office) -> None:
    new = {"kind": "birthday", "locale": "nl", **GOOD}
    first = await office.call("POST", "/v1/templates", new)
    assert await office.call("POST", "/v1/templates", new) == first
    other = await office.call("POST", "/v1/templates", {**new, "subject": "Vandaag"})
    again = await office.call("POST", "/v1/templates", new)
    versions = [body["version"] - first[1]["version"] for _, body in (other, again)]
    assert versions == [1, 2]


@pytest.mark.parametrize(
    ("changes", "pointer", "detail"),
    [
        pytest.param({"text": " "}, "/text", "empty", id="EC-ST-012 blank text"),
        pytest.param({"html": ""}, "/html", "empty", id="EC-ST-012 no HTML"),
        pytest.param({"text": "a\n{{ first_name.upper() }}"}, "/text", "line 2: ", id="a call"),
        pytest.param({"text": "Hi"}, "/text", "must be shown", id="nobody named"),
        pytest.param({"html": "<a title={{first_name}}>"}, "/html", "attribute", id="attribute"),
        pytest.param({"kind": "coronation"}, "/kind", "no such kind", id="unknown kind"),
        pytest.param({"locale": "!"}, "/locale", "", id="no language"),
    ],
)
async def test_text_that_cannot_be_sent_is_refused_with_its_place(
    office: Office, changes: dict[str, str], pointer: str, detail: str
) -> None:
    new = {"kind": "birthday", "locale": "en", **GOOD, **changes}
    status, problem = await office.call("POST", "/v1/templates", new)
    assert status == 422
    assert any(
        error["pointer"] == pointer and detail in error["detail"] for error in problem["errors"]
    ), problem


@pytest.mark.parametrize("kind", ["urlencoded", "multipart"])
async def test_one_click_ends_queued_mail_within_a_second(office: Office, kind: str) -> None:
    person = await office.meet()
    link = link_in(await office.mail_to(person, kind="anniversary"))
    await pause(office, pause_s=1.2)
    await office.request(
        person, kind="anniversary", release=2, local_day=NINE.date().replace(day=13)
    )
    form: Any = {"List-Unsubscribe": "One-Click"}
    if kind == "multipart":
        form = aiohttp.FormData(form, default_to_multipart=True)
    started_s = monotonic_s()
    status, _ = await office.post(link, form)
    assert (status, monotonic_s() - started_s < 1.0) == (200, True)
    yesterday = f"/v1/deliveries/2026-06-13/{person.id}/anniversary"
    story = await until(lambda: _story(office, yesterday))
    assert [(step["type"], step["reason"]) for step in story[-1:]] == [
        ("suppressed", "unsubscribed")
    ]
    assert await until(lambda: _blocks_heard(office, person)) == {"anniversary": "unsubscribed"}
    await office.mail_to(person, kind="birthday")


async def _story(office: Office, path: str) -> list[Any] | None:
    status, story = await office.call("GET", path)
    return story["steps"] if status == 200 and len(story["steps"]) > 1 else None


async def _blocks_heard(office: Office, person: UserRegistered) -> dict[str, str] | None:
    return next(
        (
            event.data.blocks
            for event in reversed(office.heard)
            if event.type == RECIPIENT_BLOCKS_CHANGED and event.data.person_id == person.id
        ),
        None,
    )


async def pause(office: Office, *, pause_s: float) -> None:
    """Keep requests in hand, before their claim, for a while."""
    async with office.pool.acquire() as connection:
        await pause_provider(connection, "smtp", pause_s=pause_s)


async def test_following_the_link_alone_ends_nothing(office: Office) -> None:
    person = await office.meet()
    link = link_in(await office.mail_to(person))
    async with (
        aiohttp.ClientSession(office.http._base_url) as scanner,
        scanner.get(link) as answer,
    ):
        page = await answer.text()
        assert (answer.status, answer.content_type) == (200, "text/html")
        assert answer.headers["Cache-Control"] == "no-store"
        assert "script" not in page
        assert '<form method=post><input type=hidden name="List-Unsubscribe"' in page
    assert (await office.call("GET", f"/v1/blocks/{person.id}"))[0] == 404


async def test_operator_sees_and_undoes_an_unsubscribe(office: Office) -> None:
    person = await office.meet()
    link = link_in(await office.mail_to(person))
    await office.post(link, {"List-Unsubscribe": "One-Click"})
    _, blocks = await office.call("GET", f"/v1/blocks/{person.id}")
    assert (blocks["revision"], blocks["blocks"]) == (1, {"birthday": "unsubscribed"})
    for status in (204, 404):
        path = f"/v1/unsubscribes/{person.id}/birthday"
        assert (await office.call("DELETE", path))[0] == status
    _, blocks = await office.call("GET", f"/v1/blocks/{person.id}")
    assert (blocks["revision"], blocks["blocks"]) == (2, {})


async def test_forged_link_and_wrong_form_end_nothing(office: Office) -> None:
    person = await office.meet()
    link = link_in(await office.mail_to(person))
    forged = link[:-1] + ("A" if link[-1] != "A" else "B")
    one_click = {"List-Unsubscribe": "One-Click"}
    assert (await office.post(forged, one_click))[0] == 404
    assert (await office.post("/unsubscribe/x", one_click))[0] == 404
    assert (await office.post(link, {"List-Unsubscribe": "no"}))[0] == 422
    assert (await office.post(link, None))[0] == 422
    assert (await office.call("GET", f"/v1/blocks/{person.id}"))[0] == 404
