"""What a text must be before an operator may publish it."""

from collections.abc import Iterator
from typing import Literal

import msgspec

from contracts.kinds import Kind, Template
from services.dispatcher.domain.greeting import english_ordinal
from services.dispatcher.domain.markup import MARKS, find_markup_faults
from services.dispatcher.domain.template import (
    UNFILLABLE,
    Render,
    TemplateError,
    Values,
    compile_template,
    holes_of,
)

Part = Literal["subject", "text", "html"]

SAMPLE_YEARS = (None, 0, 1, 2, 11, 50, 124)
"""Years with which every text is tried: unknown, none, the singular, the plural, great ones."""


class TemplateFault(msgspec.Struct, frozen=True):
    """Why a text cannot be published: in which part, in which line where it lies in one."""

    part: Part
    reason: str
    line: int | None = None


def find_faults(kind: Kind, template: Template) -> list[TemplateFault]:
    """Return everything that keeps ``template`` from being published for ``kind``.

    Every part must keep to the language and say something whatever the years; text and HTML must
    show every hole that the kind requires; the subject is one line; values stand in the HTML's
    text only.
    """
    return [
        *_part_faults("subject", template.subject, ()),
        *_subject_faults(template.subject),
        *_part_faults("text", template.text, kind.required_holes),
        *_part_faults("html", template.html, kind.required_holes),
    ]


def _part_faults(part: Part, source: str, required: tuple[str, ...]) -> Iterator[TemplateFault]:
    try:
        render = compile_template(source, is_html=part == "html")
        shown = holes_of(source)
    except TemplateError as error:
        yield TemplateFault(part, error.reason, error.line)
        return
    for name in required:
        if name not in shown:
            yield TemplateFault(part, f"{{{{ {name} }}}} must be shown")
    yield from _sample_faults(part, render)


def _sample_faults(part: Part, render: Render) -> Iterator[TemplateFault]:
    """Fill a text with samples; each fault is told once, with the first years that show it."""
    found: dict[tuple[str, int | None], list[int | None]] = {}
    for years in SAMPLE_YEARS:
        for fault in _faults_with(part, render, years):
            found.setdefault((fault.reason, fault.line), []).append(years)
    for (reason, line), shown_by in found.items():
        when = "" if len(shown_by) == len(SAMPLE_YEARS) else f": {_spoken(shown_by[0])}"
        yield TemplateFault(part, f"{reason}{when}", line)


def _faults_with(part: Part, render: Render, years: int | None) -> Iterator[TemplateFault]:
    try:
        filled = render(_sample(years))
    except UNFILLABLE:
        yield TemplateFault(part, "it cannot be filled")
        return
    if not filled.strip():
        yield TemplateFault(part, "it is empty")
    if part == "html":
        for fault in find_markup_faults(filled):
            yield TemplateFault(part, fault.reason, fault.line)


def _subject_faults(source: str) -> Iterator[TemplateFault]:
    for number, line in enumerate(source.splitlines(), start=1):
        if number > 1:
            yield TemplateFault("subject", "a subject is one line", number)
        elif not line.isprintable():
            yield TemplateFault("subject", "a subject has no control characters", number)


def _sample(years: int | None) -> Values:
    first_name, last_name = MARKS
    return {
        "first_name": first_name,
        "last_name": last_name,
        "years": years,
        "ordinal": english_ordinal(years),
    }


def _spoken(years: int | None) -> str:
    if years is None:
        return "where the years are unknown"
    return "with 1 year" if years == 1 else f"with {years} years"
