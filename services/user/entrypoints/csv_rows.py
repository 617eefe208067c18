"""People as rows of a CSV file (RFC 4180) that spreadsheets can open without harm."""

import csv
import io
from collections.abc import Iterable

from services.user.domain.cells import KINDS_SEPARATOR, harmless
from services.user.domain.person import Person
from services.user.domain.profile import Profile

COLUMNS = ("id", *Profile.__struct_fields__, "version", "created_at", "changed_at")


def header() -> bytes:
    """Return the line that names the columns."""
    return _rows([COLUMNS])


def rows(people: Iterable[Person]) -> bytes:
    """Return a row per person: an absent field is an empty cell, opt-outs are joined by ``;``."""
    return _rows(map(_cells, people))


def _cells(person: Person) -> list[str]:
    fields = (getattr(person.profile, name) for name in Profile.__struct_fields__)
    instants = (person.created_at, person.changed_at)
    return [
        str(person.id),
        *(harmless(_cell(field)) for field in fields),
        str(person.version),
        *(instant.isoformat() for instant in instants),
    ]


def _cell(field: object) -> str:
    if isinstance(field, tuple):
        return KINDS_SEPARATOR.join(field)
    return "" if field is None else str(field)


def _rows(cells: Iterable[Iterable[str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(cells)
    return text.getvalue().encode()
