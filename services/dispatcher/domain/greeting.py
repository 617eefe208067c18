"""Renders the greeting of one claim."""

import re
from collections.abc import Mapping
from datetime import datetime

import msgspec

from contracts.kinds import Kind
from libs.ids import occurrence_key, occurrence_uuid
from services.dispatcher.domain.address import mailbox
from services.dispatcher.domain.delivery import Claim
from services.dispatcher.domain.template import UNFILLABLE, Values
from services.dispatcher.domain.texts import SHIPPED, Text, Texts
from services.dispatcher.domain.unsubscribing import UnsubscribeLinks

# Controls, line and paragraph separators, surrogates, and the marks that turn text around.
_UNFIT_FOR_HEADERS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+"
)
_ENDINGS = {1: "st", 2: "nd", 3: "rd"}
# What UTF-8 cannot carry, and NUL, which mail must not.
_UNFIT_FOR_BODIES = re.compile("[\x00\ud800-\udfff]")


class RenderingError(Exception):
    """The text of this greeting cannot be filled, however often it is tried."""


class Mail(msgspec.Struct, frozen=True, gc=False):
    """One greeting, ready for any provider.

    ``subject`` is one line, ``message_id`` is bare. ``unsubscribe_url`` ends mails of this kind to
    this person; ``template_version`` names the text that was filled.
    """

    occurrence: str
    message_id: str
    recipient: str
    subject: str
    text: str
    html: str
    sent_at: datetime
    unsubscribe_url: str | None = None
    template_version: int = SHIPPED


class Greetings:
    """Writes greetings from the texts that hold now.

    ``message_domain`` is the right side of every Message-ID. Without ``links`` no mail says how to
    unsubscribe.
    """

    def __init__(
        self,
        kinds: Mapping[str, Kind],
        *,
        message_domain: str,
        links: UnsubscribeLinks | None = None,
    ) -> None:
        """Begin with the texts that ship with the kinds.

        Raises:
            TemplateError: one of them cannot be compiled; the text says which.
        """
        self.kinds = kinds
        self.texts = Texts(kinds)
        self._message_domain = message_domain
        self.links = links

    def adopt(self, texts: Texts) -> None:
        """Write from ``texts`` from now on; whoever holds the former ones may finish with them."""
        self.texts = texts

    def render(self, claim: Claim, text: Text) -> Mail:
        """Return the mail of ``claim``, written from ``text``; equal claims give equal mails.

        Raises:
            UnusableAddressError: no mail can go to the recipient's address.
            RenderingError: the text cannot be filled.
        """
        request, recipient = claim.request, mailbox(claim.recipient.email)
        subject, body, html = _filled(text, _values(claim))
        key = occurrence_key(request.local_day, request.person_id, request.kind)
        return Mail(
            occurrence=key,
            message_id=self.message_id(key),
            recipient=recipient,
            subject=one_line(subject),
            text=_fit_for_body(body),
            html=_fit_for_body(html),
            sent_at=claim.writing.at,
            unsubscribe_url=self._unsubscribe_url(claim),
            template_version=text.version,
        )

    def message_id(self, occurrence: str) -> str:
        """Return the Message-ID that the mail of ``occurrence`` bears, whichever attempt it is."""
        return f"{occurrence_uuid(occurrence)}@{self._message_domain}"

    def _unsubscribe_url(self, claim: Claim) -> str | None:
        request = claim.request
        return self.links.url(request.person_id, request.kind) if self.links else None


def one_line(text: str) -> str:
    """Return ``text`` as one line for a header: what is unfit for one becomes a blank."""
    if text.isascii() and text.isprintable():
        return text.strip()
    return _UNFIT_FOR_HEADERS.sub(" ", text).strip()


def _fit_for_body(text: str) -> str:
    # Most mails are plain ASCII, which is known without a look at every character.
    if text.isascii() and "\x00" not in text:
        return text
    return _UNFIT_FOR_BODIES.sub("", text)


def english_ordinal(number: int | None) -> str | None:
    """Return 1st, 2nd, 3rd, 11th, 21st; None where there is nothing to count."""
    if not number:
        return None
    if number % 100 in {11, 12, 13}:
        return f"{number}th"
    return f"{number}{_ENDINGS.get(number % 10, 'th')}"


def _values(claim: Claim) -> Values:
    years = claim.request.years
    return {
        "first_name": claim.recipient.first_name,
        "last_name": claim.recipient.last_name,
        "years": years,
        "ordinal": english_ordinal(years),
    }


def _filled(text: Text, values: Values) -> tuple[str, str, str]:
    try:
        return text.subject(values), text.text(values), text.html(values)
    except UNFILLABLE as error:
        raise RenderingError(f"version {text.version} of {text.locale!r}") from error
