"""A mail that a provider may have is repeated as the same bytes; any other is written anew."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from contracts import user_events
from contracts.kinds import KINDS, Kind, Template
from contracts.kinds.birthday import BIRTHDAY
from contracts.user_events import UserErased, UserRegistered
from libs.clock import FrozenClock
from libs.postgres.types import Pool
from services.dispatcher.adapters.contacts import drop_former_contacts
from services.dispatcher.adapters.suppressions import put_suppression
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.app.publish_texts import publish_text
from services.dispatcher.app.settle_by_hand import settle_by_hand
from services.dispatcher.domain.delivery import Accepted, Deferred, Unknown
from services.dispatcher.domain.greeting import Greetings, Mail
from services.dispatcher.domain.texts import PublishedText
from tests.support.deliveries import (
    NINE,
    TODAY,
    FakeProvider,
    a_person,
    a_request,
    published,
    steps,
    told,
)

NEW_TEXT = Template(subject="New", text="New {{ first_name }}", html="{{ first_name }}")


class Witness(FakeProvider):
    """Answers as told and remembers every mail it was shown, taken or not."""

    def __init__(self) -> None:
        super().__init__()
        self.shown: list[Mail] = []
        self.answers: list[Any] = []
        self.answer = self._next

    def _next(self, mail: Mail) -> Any:
        self.shown.append(mail)
        return self.answers.pop(0) if self.answers else Accepted(mail.message_id)


@pytest.fixture
def witness() -> Witness:
    """Return a provider that remembers."""
    return Witness()


@pytest.fixture
def sending(courier: Courier, witness: Witness) -> Courier:
    """Return what delivering through the witness needs."""
    return replace(courier, provider=witness)


async def change_everything(
    sending: Courier, pool: Pool, clock: FrozenClock, ada: UserRegistered
) -> UserRegistered:
    """Let name, language, address, text and time be others than before."""
    clock.advance(timedelta(minutes=5))
    text = PublishedText(0, "birthday", "en", NEW_TEXT)
    await publish_text(pool, sending.greetings, text, now=clock.now(), by="test")
    newer = msgspec.structs.replace(
        ada, version=2, first_name="Augusta", locale="de", email="new@example.org"
    )
    await project_contacts(pool, [told(newer, user_events.USER_CHANGED)])
    return newer


async def test_repeat_of_an_unknown_mail_is_the_same_to_the_byte(
    sending: Courier, witness: Witness, pool: Pool, clock: FrozenClock, ada: UserRegistered
) -> None:
    witness.answers = [Unknown("timed_out"), Deferred("try_later")]
    await deliver_requests(sending, [a_request(ada.id, years=30)])
    newer = await change_everything(sending, pool, clock, ada)
    await settle_by_hand(
        pool, sending.greetings, (TODAY, ada.id, "birthday"), "resend", now=clock.now()
    )
    for release in (2, 3):
        again = a_request(ada.id, release=release, years=31, person_version=newer.version)
        await deliver_requests(sending, [again])
    first, second, third = witness.shown
    assert (first, second) == (second, third)
    assert first.sent_at == NINE
    assert (await steps(pool, ada.id))[-1][2] == "accepted"


@pytest.mark.parametrize("answer", [Deferred("try_later"), None], ids=["deferred", "never arrived"])
async def test_mail_that_nobody_has_is_written_anew(
    sending: Courier,
    witness: Witness,
    pool: Pool,
    clock: FrozenClock,
    ada: UserRegistered,
    answer: Deferred | None,
) -> None:
    witness.answers = [answer or Unknown("timed_out")]
    await deliver_requests(sending, [a_request(ada.id)])
    newer = await change_everything(sending, pool, clock, ada)
    if answer is None:
        await pool.execute(
            "INSERT INTO delivery_events"
            " (local_day, person_id, kind, release, step, type, reason, recorded_at, retry_at)"
            " VALUES ($1, $2, 'birthday', 1, 2, 'deferred', 'never_arrived', $3, $3)",
            TODAY,
            ada.id,
            NINE,
        )
        await pool.execute("UPDATE greeted SET holder_day = NULL, holder_release = NULL")
    await deliver_requests(sending, [a_request(ada.id, release=2, person_version=newer.version)])
    assert witness.shown[-1].recipient == "new@example.org"
    assert witness.shown[-1].text == "Hallo Augusta Lovelace, alles Gute zum Geburtstag!"
    assert witness.shown[-1].sent_at == clock.now()


async def test_former_address_that_is_suppressed_by_now_gets_no_repeat(
    sending: Courier, witness: Witness, pool: Pool, clock: FrozenClock, ada: UserRegistered
) -> None:
    witness.answers = [Unknown("timed_out")]
    await deliver_requests(sending, [a_request(ada.id)])
    newer = await change_everything(sending, pool, clock, ada)
    async with pool.acquire() as connection:
        await put_suppression(connection, ada.email, reason="bounced_permanently", now=NINE)
    await settle_by_hand(
        pool, sending.greetings, (TODAY, ada.id, "birthday"), "resend", now=clock.now()
    )
    await deliver_requests(sending, [a_request(ada.id, release=2, person_version=newer.version)])
    assert [mail.recipient for mail in witness.shown] == [ada.email, "new@example.org"]


async def test_what_a_contact_was_is_kept_for_its_time_and_goes_with_the_person(
    pool: Pool, ada: UserRegistered
) -> None:
    bea = a_person()
    await project_contacts(pool, [told(bea)])
    for person in (ada, bea):
        newer = msgspec.structs.replace(person, version=2, first_name="Other")
        await project_contacts(pool, [told(newer, user_events.USER_CHANGED)])
    erased = UserErased(id=ada.id, version=3, schedule_version=3)
    await project_contacts(pool, [told(erased, user_events.USER_ERASED)])
    kept = await pool.fetch("SELECT person_id FROM former_contacts")
    assert [row["person_id"] for row in kept] == [bea.id]
    async with pool.acquire() as connection:
        assert await drop_former_contacts(connection, older_than_s=3600, limit=10) == 0
        assert await drop_former_contacts(connection, older_than_s=0, limit=10) == 1


async def test_message_id_is_the_same_for_every_attempt_and_text(
    sending: Courier, witness: Witness, pool: Pool, clock: FrozenClock, ada: UserRegistered
) -> None:
    witness.answers = [Deferred("try_later")]
    await deliver_requests(sending, [a_request(ada.id)])
    newer = await change_everything(sending, pool, clock, ada)
    await deliver_requests(sending, [a_request(ada.id, release=2, person_version=newer.version)])
    first, second = witness.shown
    assert first.text != second.text
    assert first.message_id == second.message_id


def with_kinds(courier: Courier, **kinds: Kind) -> Courier:
    """Return the courier of a dispatcher that knows more kinds."""
    known = KINDS | {name: msgspec.structs.replace(kind, name=name) for name, kind in kinds.items()}
    greetings = Greetings(known, message_domain="jubilee.example")
    return replace(courier, kinds=known, greetings=greetings)


@pytest.mark.edge_case("EC-ST-006")
async def test_text_that_cannot_be_filled_fails_that_mail_alone(
    sending: Courier,
    witness: Witness,
    pool: Pool,
    ada: UserRegistered,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = Template(subject="x", text="{% if first_name > 3 %}x{% endif %}", html="x")
    courier = with_kinds(
        sending, broken=msgspec.structs.replace(BIRTHDAY, templates={"en": broken})
    )
    await deliver_requests(courier, [a_request(ada.id, kind="broken"), a_request(ada.id)])
    assert [mail.occurrence.rpartition("/")[2] for mail in witness.shown] == ["birthday"]
    told_of = {event.subject.rpartition("/")[2]: event for event in await published(pool)}
    assert told_of["broken"].type == "delivery.refused.v1"
    assert told_of["broken"].data.reason == "rendering_failed"
    [record] = [record for record in caplog.records if record.message == "mail.not_rendered"]
    assert record.levelname == "ERROR"
    assert ada.first_name not in str(vars(record))


@pytest.mark.edge_case("EC-AN-002", "EC-AN-014")
async def test_several_kinds_in_one_second_are_sent_independently(
    sending: Courier, witness: Witness, pool: Pool, ada: UserRegistered
) -> None:
    anniversary = KINDS["anniversary"]
    courier = with_kinds(sending, wedding=anniversary, hiring=anniversary)
    kinds = ("birthday", "anniversary", "wedding", "hiring")
    witness.answers = [Accepted("1"), Deferred("try_later"), Unknown("timed_out"), Accepted("4")]
    await deliver_requests(courier, [a_request(ada.id, kind=kind, years=3) for kind in kinds])
    assert len({mail.message_id for mail in witness.shown}) == 4
    rows = await pool.fetch("SELECT kind, type FROM delivery_events WHERE step = 1 ORDER BY kind")
    assert sorted(row["type"] for row in rows) == ["accepted", "accepted", "deferred", "unknown"]
    assert {row["kind"] for row in rows} == set(kinds)


async def test_texts_of_a_former_choice_never_change(pool: Pool, sending: Courier) -> None:
    for number in range(3):
        template = msgspec.structs.replace(NEW_TEXT, subject=str(number))
        text = PublishedText(0, "birthday", "en", template)
        await publish_text(pool, sending.greetings, text, now=NINE, by="test")
    assert sending.greetings.texts.as_of == 3
    assert not await keep_texts(pool, sending.greetings)
    granted = await pool.fetch(
        "SELECT privilege_type FROM information_schema.table_privileges"
        " WHERE table_name IN ('templates', 'template_choices') AND grantee = current_user"
    )
    assert {row[0] for row in granted} & {"UPDATE", "DELETE", "TRUNCATE"} == set()
