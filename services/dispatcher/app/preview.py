"""Shows a mail as it would be sent, written by the very code that sends."""

from datetime import date, datetime
from uuid import UUID

import msgspec

from contracts.dispatch import DispatchRequested
from libs.postgres.types import Connection, Pool
from services.dispatcher.adapters import templates
from services.dispatcher.adapters.contacts import find_recipient
from services.dispatcher.adapters.ledger import list_story
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.domain.delivery import CLAIM, Claim, Recipient, Writing
from services.dispatcher.domain.greeting import Greetings, Mail
from services.dispatcher.domain.texts import SHIPPED, Text, Texts, compile_published


class PreviewAsked(msgspec.Struct, frozen=True, kw_only=True):
    """Which mail to show; None of a wish is what would be sent."""

    person_id: UUID
    kind: str
    local_day: date
    locale: str | None = None
    template_version: int | None = None
    years: int | None = None


class Previewed(msgspec.Struct, frozen=True):
    """A mail, its bytes, and the language of the text it was written from."""

    mail: Mail
    raw: bytes
    locale: str


class NobodyToGreetError(Exception):
    """There is no such person, or he has left."""


class NoSuchTextError(Exception):
    """The kind has no such version."""


async def preview(
    pool: Pool, greetings: Greetings, writer: MimeWriter, asked: PreviewAsked, *, now: datetime
) -> Previewed:
    """Return the mail of an occurrence as it would be sent at ``now``.

    Where the years are not given they are those of the last attempt, if there was one.

    Raises:
        NobodyToGreetError: the person is not there.
        NoSuchTextError: the kind has no such version.
        UnusableAddressError: no mail can go to the person's address.
        RenderingError: the text cannot be filled.
    """
    await keep_texts(pool, greetings)
    async with pool.acquire() as connection:
        recipient = await find_recipient(connection, asked.person_id)
        if recipient is None:
            raise NobodyToGreetError
        if asked.locale is not None:
            recipient = msgspec.structs.replace(recipient, locale=asked.locale)
        text = await _text(connection, greetings, asked, recipient)
        years = asked.years
        if years is None:
            years = await _years(connection, asked)
    mail = greetings.render(_claim(greetings, asked, recipient, years, now), text)
    return Previewed(mail, writer.write(mail), text.locale)


async def _text(
    connection: Connection, greetings: Greetings, asked: PreviewAsked, recipient: Recipient
) -> Text:
    if asked.template_version is None:
        return greetings.texts.best(asked.kind, recipient.locale)
    if asked.template_version == SHIPPED:
        return Texts(greetings.kinds).best(asked.kind, recipient.locale)
    published = await templates.find_template(connection, asked.template_version)
    if published is None or published.kind != asked.kind:
        raise NoSuchTextError
    return compile_published(published)


async def _years(connection: Connection, asked: PreviewAsked) -> int | None:
    story = await list_story(connection, asked.local_day, asked.person_id, asked.kind)
    return next((step.years for step in reversed(story) if step.step == CLAIM), None)


def _claim(
    greetings: Greetings,
    asked: PreviewAsked,
    recipient: Recipient,
    years: int | None,
    now: datetime,
) -> Claim:
    """Return the claim that would be made for it now; nothing of it is kept."""
    request = DispatchRequested(
        local_day=asked.local_day,
        person_id=asked.person_id,
        kind=asked.kind,
        release=1,
        period=asked.local_day,
        due_at=now,
        expires_at=now,
        person_version=0,
        years=years,
    )
    return Claim(request, recipient, 0, Writing(now, greetings.texts.as_of))
