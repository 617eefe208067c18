"""Lets operators publish texts and choose which of them hold."""

from datetime import datetime

from libs.postgres.types import Pool
from services.dispatcher.adapters import templates
from services.dispatcher.app.keep_texts import keep_texts
from services.dispatcher.domain.greeting import Greetings
from services.dispatcher.domain.publishing import TemplateFault, find_faults
from services.dispatcher.domain.texts import PublishedText


class TemplateRefusedError(Exception):
    """A text cannot be published; ``faults`` says everything that is wrong with it."""

    def __init__(self, faults: list[TemplateFault]) -> None:
        super().__init__(f"{len(faults)} faults")
        self.faults = faults


async def publish_text(
    pool: Pool, greetings: Greetings, text: PublishedText, *, now: datetime, by: str
) -> int:
    """Keep a text as the next version, let it hold from now on, and return its version.

    Where exactly this text holds already nothing changes: a request whose answer was lost may be
    repeated. ``text.kind`` is known. Other processes write from it as soon as they look again.

    Raises:
        TemplateRefusedError: it cannot be published; nothing was kept.
    """
    if faults := find_faults(greetings.kinds[text.kind], text.template):
        raise TemplateRefusedError(faults)
    async with pool.acquire() as connection, connection.transaction():
        await templates.lock_texts(connection)
        held = await templates.find_chosen_text(connection, text.kind, text.locale)
        if held is not None and held.template == text.template:
            version = held.version
        else:
            version = await templates.put_template(connection, text, now=now, by=by)
            await templates.choose_template(
                connection, text.kind, text.locale, version=version, now=now, by=by
            )
    await keep_texts(pool, greetings)
    return version


async def choose_text(
    pool: Pool, greetings: Greetings, version: int, *, now: datetime, by: str
) -> PublishedText | None:
    """Let a published version hold for its kind and language; None where there is no such one."""
    async with pool.acquire() as connection, connection.transaction():
        await templates.lock_texts(connection)
        text = await templates.find_template(connection, version)
        if text is None:
            return None
        await templates.choose_template(
            connection, text.kind, text.locale, version=version, now=now, by=by
        )
    await keep_texts(pool, greetings)
    return text


async def choose_shipped(
    pool: Pool, greetings: Greetings, kind: str, locale: str, *, now: datetime, by: str
) -> None:
    """Let what ships with a kind hold for a language again."""
    async with pool.acquire() as connection, connection.transaction():
        await templates.lock_texts(connection)
        await templates.choose_template(connection, kind, locale, version=None, now=now, by=by)
    await keep_texts(pool, greetings)
