"""HTTP: texts that operators publish and choose, and a mail as it would be sent."""

from datetime import date, datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Request, Router, get, post
from litestar.params import FromPath, JSONBody

from contracts.kinds import Template
from libs.clock import Clock
from libs.httpapi.app import Provided
from libs.httpapi.auth import require
from libs.httpapi.pagination import (
    DEFAULT_LIMIT,
    CursorText,
    Limit,
    Page,
    decode_cursor,
    encode_cursor,
)
from libs.httpapi.problems import FieldError, Problem, invalid, standard_problem
from libs.httpapi.refusals import refusing
from libs.postgres.types import Pool
from services.dispatcher.adapters import templates
from services.dispatcher.adapters.mime import MimeWriter
from services.dispatcher.adapters.templates import TemplateVersion
from services.dispatcher.app.preview import (
    NobodyToGreetError,
    NoSuchTextError,
    PreviewAsked,
    Previewed,
    preview,
)
from services.dispatcher.app.publish_texts import (
    TemplateRefusedError,
    choose_shipped,
    choose_text,
    publish_text,
)
from services.dispatcher.domain.address import UnusableAddressError
from services.dispatcher.domain.greeting import Greetings, RenderingError
from services.dispatcher.domain.texts import SHIPPED, PublishedText, normal_tag

MAX_BODY_BYTES = 256 * 1024

_LIST = "templates"
_GREATEST = 2**31 - 1

KindName = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Locale = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35)]
Version = Annotated[int, msgspec.Meta(ge=0, le=_GREATEST)]
Years = Annotated[int, msgspec.Meta(ge=0, le=9999)]


class NewTemplate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A text to be sent from now on for one kind in one language."""

    kind: KindName
    locale: Locale
    subject: Annotated[str, msgspec.Meta(max_length=500)]
    text: Annotated[str, msgspec.Meta(max_length=20_000)]
    html: Annotated[str, msgspec.Meta(max_length=100_000)]


class Shipped(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The kind and language for which what ships shall hold again."""

    kind: KindName
    locale: Locale


class Chosen(msgspec.Struct, frozen=True):
    """What holds now; version 0 is the text that ships, or that of a shorter language tag."""

    version: int
    kind: str
    locale: str


class NewPreview(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which mail to show.

    ``local_day`` is today, ``locale`` and ``template_version`` what would be sent, ``years`` those
    of the last attempt, unless given. ``template_version`` 0 is the text that ships.
    """

    person_id: UUID
    kind: KindName
    local_day: date | None = None
    locale: Locale | None = None
    template_version: Version | None = None
    years: Years | None = None


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """A mail as it would be sent now; ``raw`` is its bytes, all ASCII, for a provider that takes
    them as they are.
    """

    occurrence: str
    template_version: int
    locale: str
    recipient: str
    message_id: str
    sent_at: datetime
    subject: str
    text: str
    html: str
    unsubscribe_url: str | None
    raw: str


class _Position(msgspec.Struct, frozen=True):
    version: int


@post(
    "/v1/templates",
    guards=[require("ops:templates")],
    tags=["templates"],
    request_max_body_size=MAX_BODY_BYTES,
)
async def publish(
    data: JSONBody[NewTemplate],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
    request: Request[Any, Any, Any],
) -> Chosen:
    """Publish a text as the next version; every dispatcher writes from it within seconds.

    It may use `{{ first_name }}`, which text and html must show, `{{ last_name }}`, `{{ years }}`
    and `{{ ordinal }}`; the last two are empty where the years are unknown. The text that
    holds already keeps its version.
    """
    _check_kind(data.kind, greetings)
    text = PublishedText(
        SHIPPED,
        data.kind,
        normal_tag(data.locale),
        Template(subject=data.subject, text=data.text, html=data.html),
    )
    try:
        version = await publish_text(pool, greetings, text, now=clock.now(), by=request.auth.key_id)
    except TemplateRefusedError as error:
        raise _refusal(error) from error
    return Chosen(version, text.kind, text.locale)


@get("/v1/templates", guards=[require("deliveries:read")], tags=["templates"])
async def list_templates(
    pool: Provided[Pool], limit: Limit = DEFAULT_LIMIT, cursor: CursorText = None
) -> Page[TemplateVersion]:
    """List published versions, the newest first."""
    before = decode_cursor(cursor, _Position, scope=_LIST).version if cursor else _GREATEST
    async with pool.acquire() as connection:
        items = await templates.list_templates(connection, before=before, limit=limit)
    is_last = len(items) < limit
    return Page(
        items, None if is_last else encode_cursor(_Position(items[-1].version), scope=_LIST)
    )


@post(
    "/v1/templates/{version:int}/activate",
    guards=[require("ops:templates")],
    status_code=200,
    summary="Choose the version that holds for its kind and language",
    tags=["templates"],
)
async def activate(
    version: FromPath[int],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
    request: Request[Any, Any, Any],
) -> Chosen:
    """Let a published version hold for its kind and language, an older one to roll back."""
    text = None
    if SHIPPED < version <= _GREATEST:
        text = await choose_text(pool, greetings, version, now=clock.now(), by=request.auth.key_id)
    if text is None:
        raise standard_problem(404, "there is no such version")
    return Chosen(version, text.kind, text.locale)


@post(
    "/v1/templates/shipped",
    guards=[require("ops:templates")],
    status_code=200,
    summary="Go back to the text that ships with the kind",
    tags=["templates"],
)
async def activate_shipped(
    data: JSONBody[Shipped],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
    request: Request[Any, Any, Any],
) -> Chosen:
    """Let what ships with the kind hold for a language again."""
    _check_kind(data.kind, greetings)
    locale = normal_tag(data.locale)
    await choose_shipped(
        pool, greetings, data.kind, locale, now=clock.now(), by=request.auth.key_id
    )
    return Chosen(SHIPPED, data.kind, locale)


@post(
    "/v1/previews",
    guards=[require("ops:templates")],
    responses=refusing({409: "`not_writable`: this mail cannot be written."}),
    status_code=200,
    tags=["templates"],
)
async def show_preview(
    data: JSONBody[NewPreview],
    pool: Provided[Pool],
    clock: Provided[Clock],
    greetings: Provided[Greetings],
    writer: Provided[MimeWriter],
) -> Preview:
    """Show one person's mail as it would be sent now, to the byte; nothing is sent or kept."""
    _check_kind(data.kind, greetings)
    now = clock.now()
    asked = PreviewAsked(
        person_id=data.person_id,
        kind=data.kind,
        local_day=data.local_day or now.date(),
        locale=data.locale,
        template_version=data.template_version,
        years=data.years,
    )
    try:
        return _shown(await preview(pool, greetings, writer, asked, now=now))
    except NobodyToGreetError as error:
        raise standard_problem(404, "there is no such person") from error
    except NoSuchTextError as error:
        raise standard_problem(404, "the kind has no such version") from error
    except (UnusableAddressError, RenderingError) as error:
        raise Problem(
            409, "not_writable", "This mail cannot be written", "its delivery would be refused"
        ) from error


def _shown(previewed: Previewed) -> Preview:
    mail = previewed.mail
    return Preview(
        occurrence=mail.occurrence,
        template_version=mail.template_version,
        locale=previewed.locale,
        recipient=mail.recipient,
        message_id=mail.message_id,
        sent_at=mail.sent_at,
        subject=mail.subject,
        text=mail.text,
        html=mail.html,
        unsubscribe_url=mail.unsubscribe_url,
        raw=previewed.raw.decode("ascii"),
    )


def _check_kind(kind: str, greetings: Greetings) -> None:
    if kind not in greetings.kinds:
        raise invalid([FieldError("/kind", "unknown_kind", "there is no such kind")])


def _refusal(error: TemplateRefusedError) -> Problem:
    return invalid(
        [
            FieldError(
                f"/{fault.part}",
                "template_refused",
                fault.reason if fault.line is None else f"line {fault.line}: {fault.reason}",
            )
            for fault in error.faults
        ]
    )


ROUTES = Router(
    "/", route_handlers=[publish, list_templates, activate, activate_shipped, show_preview]
)
