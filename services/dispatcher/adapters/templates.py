"""The texts that operators published, and which of them hold."""

from datetime import datetime

import msgspec

from contracts.kinds import Template
from libs.postgres.types import Connection, Record
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.domain.texts import PublishedText


class TemplateVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One published version; ``is_active`` tells whether it holds for its kind and language."""

    version: int
    kind: str
    locale: str
    subject: str
    text: str
    html: str
    published_at: datetime
    published_by: str
    is_active: bool


async def lock_texts(connection: Connection) -> None:
    """Keep others from publishing and choosing until the caller's transaction ends."""
    await connection.execute(SQL.lock_texts)


async def put_template(
    connection: Connection, published: PublishedText, *, now: datetime, by: str
) -> int:
    """Keep a text and return its version: the next one, whatever ``published`` says.

    The caller holds ``lock_texts``.
    """
    template = published.template
    version: int = await connection.fetchval(
        SQL.put_template,
        published.kind,
        published.locale,
        template.subject,
        template.text,
        template.html,
        now,
        by,
    )
    return version


async def choose_template(
    connection: Connection, kind: str, locale: str, *, version: int | None, now: datetime, by: str
) -> None:
    """Let a version hold from now on, None for the text that ships with the kind.

    The caller holds ``lock_texts``.
    """
    await connection.execute(SQL.choose_template, kind, locale, version, now, by)


async def find_template(connection: Connection, version: int) -> PublishedText | None:
    """Return a published version if there is one."""
    row = await connection.fetchrow(SQL.find_template, version)
    return _published(row) if row else None


async def find_chosen_text(connection: Connection, kind: str, locale: str) -> PublishedText | None:
    """Return the published text that holds for a kind and language; None where none does."""
    row = await connection.fetchrow(SQL.find_chosen_text, kind, locale)
    return _published(row) if row else None


async def list_templates(
    connection: Connection, *, before: int, limit: int
) -> list[TemplateVersion]:
    """Return up to ``limit`` versions below ``before``, the newest first."""
    rows = await connection.fetch(SQL.list_templates, before, limit)
    return [TemplateVersion(**row) for row in rows]


async def read_texts_as_of(connection: Connection) -> int:
    """Return the number of the last choice; 0 for none. Cheap enough to ask every second."""
    as_of: int = await connection.fetchval(SQL.read_texts_as_of)
    return as_of


async def list_chosen_texts(connection: Connection, *, as_of: int) -> list[PublishedText]:
    """Return the published texts that held as of a choice."""
    return [_published(row) for row in await connection.fetch(SQL.list_chosen_texts, as_of)]


def _published(row: Record) -> PublishedText:
    template = Template(subject=row["subject"], text=row["text"], html=row["html"])
    return PublishedText(row["version"], row["kind"], row["locale"], template)
