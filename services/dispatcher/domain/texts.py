"""All texts as of one moment: what ships with the kinds, and what operators chose over it."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

import msgspec

from contracts.kinds import Kind, Template
from services.dispatcher.domain.template import Render, TemplateError, compile_template

FALLBACK_LANGUAGE = "en"
SHIPPED = 0
"""The version of every text that ships with its kind."""

_LOCALES_KEPT = 512


class PublishedText(msgspec.Struct, frozen=True):
    """One version that an operator published: a text of one kind in one language, for ever."""

    version: int
    kind: str
    locale: str
    template: Template


class Text(msgspec.Struct, frozen=True):
    """One text, ready to be filled."""

    version: int
    locale: str
    subject: Render
    text: Render
    html: Render


class Texts:
    """The texts that hold as of ``as_of``, the number of the operators' last choice; 0 for none."""

    def __init__(
        self, kinds: Mapping[str, Kind], chosen: Sequence[PublishedText] = (), *, as_of: int = 0
    ) -> None:
        """Compile every text; of a kind nobody knows any more, none.

        Raises:
            TemplateError: one of them cannot be compiled; the text says which.
        """
        self.as_of = as_of
        self._texts = {
            (name, normal_tag(language)): compiled(name, language, template, version=SHIPPED)
            for name, kind in kinds.items()
            for language, template in kind.templates.items()
        }
        self._texts |= {
            (one.kind, normal_tag(one.locale)): compile_published(one)
            for one in chosen
            if one.kind in kinds
        }
        self.best = lru_cache(maxsize=_LOCALES_KEPT)(self._best)
        """The text of a kind for a locale."""

    def _best(self, kind: str, locale: str) -> Text:
        """Cut the locale from the right until there is a text: de-AT-1996, de-AT, de, then en."""
        tag = normal_tag(locale)
        while tag:
            if text := self._texts.get((kind, tag)):
                return text
            tag = tag.rpartition("-")[0]
        return self._texts[kind, FALLBACK_LANGUAGE]


def normal_tag(locale: str) -> str:
    """Return the form in which equal language tags are equal."""
    return locale.lower().replace("_", "-")


def compile_published(published: PublishedText) -> Text:
    """Return a published version, ready to be filled.

    Raises:
        TemplateError: it cannot be compiled.
    """
    return compiled(published.kind, published.locale, published.template, version=published.version)


def compiled(kind: str, locale: str, template: Template, *, version: int) -> Text:
    """Return ``template``, ready to be filled.

    Raises:
        TemplateError: it cannot be compiled; the text says which.
    """
    try:
        return Text(
            version,
            locale,
            compile_template(template.subject, is_html=False),
            compile_template(template.text, is_html=False),
            compile_template(template.html, is_html=True),
        )
    except TemplateError as error:
        raise TemplateError(f"kind {kind!r}, language {locale!r}: {error}") from error
