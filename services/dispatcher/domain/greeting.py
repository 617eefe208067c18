"""Renders the greeting of one claim."""

import re
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache

import msgspec

from contracts.kinds import Kind
from libs.ids import occurrence_key, occurrence_uuid
from services.dispatcher.domain.address import mailbox
from services.dispatcher.domain.delivery import Claim
from services.dispatcher.domain.template import Render, TemplateError, Values, compile_template

FALLBACK_LANGUAGE = "en"
_LOCALES_KEPT = 512

# Controls, line and paragraph separators, surrogates, and the marks that turn text around.
_UNFIT_FOR_HEADERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)
# What UTF-8 cannot carry, and NUL, which mail must not.
_UNFIT_FOR_BODIES = re.compile("[\x00\ud800-\udfff]")


class Mail(msgspec.Struct, frozen=True, gc=False):
    """One greeting, ready for any provider. ``subject`` is one line; ``message_id`` is bare."""

    occurrence: str
    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    sent_at: datetime


class _Texts(msgspec.Struct, frozen=True):
    subject: Render
    text: Render
    html: Render


class Greetings:
    """All kinds' texts, compiled; ``message_domain`` is the right side of every Message-ID."""

    def __init__(self, kinds: Mapping[str, Kind], *, message_domain: str) -> None:
        """Compile every template.

        Raises:
            TemplateError: one of them cannot be compiled; the text says which.
        """
        self._message_domain = message_domain
        self._texts = {
            (name, language.lower()): _compiled(kind, language)
            for name, kind in kinds.items()
            for language in kind.templates
        }
        self._texts_for = lru_cache(maxsize=_LOCALES_KEPT)(self._best)

    def render(self, claim: Claim, *, sent_at: datetime) -> Mail:
        """Return the mail of ``claim``; ``sent_at`` goes into its Date.

        Raises:
            UnusableAddressError: no mail can go to the recipient's address.
        """
        request, recipient = claim.request, claim.recipient
        texts = self._texts_for(request.kind, recipient.locale)
        values: Values = {
            "first_name": recipient.first_name,
            "last_name": recipient.last_name,
            "years": request.years,
        }
        key = occurrence_key(request.local_day, request.person_id, request.kind)
        return Mail(
            occurrence=key,
            message_id=self.message_id(key),
            recipient=mailbox(recipient.email),
            subject=_one_line(texts.subject(values)),
            text=_UNFIT_FOR_BODIES.sub("", texts.text(values)),
            html=_UNFIT_FOR_BODIES.sub("", texts.html(values)),
            sent_at=sent_at,
        )

    def message_id(self, occurrence: str) -> str:
        """Return the Message-ID that the mail of ``occurrence`` bears, whichever attempt it is."""
        return f"{occurrence_uuid(occurrence)}@{self._message_domain}"

    def _best(self, kind: str, locale: str) -> _Texts:
        """Cut the locale from the right until there is a text: de-AT-1996, de-AT, de, then en."""
        tag = locale.lower().replace("_", "-")
        while tag:
            if texts := self._texts.get((kind, tag)):
                return texts
            tag = tag.rpartition("-")[0]
        return self._texts[kind, FALLBACK_LANGUAGE]


def _one_line(text: str) -> str:
    return _UNFIT_FOR_HEADERS.sub(" ", text).strip()


def _compiled(kind: Kind, language: str) -> _Texts:
    template = kind.templates[language]
    try:
        return _Texts(
            compile_template(template.subject, is_html=False),
            compile_template(template.text, is_html=False),
            compile_template(template.html, is_html=True),
        )
    except TemplateError as error:
        raise TemplateError(f"kind {kind.name!r}, language {language!r}: {error}") from error
