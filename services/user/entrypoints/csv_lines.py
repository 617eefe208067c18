"""Rows of a CSV file (RFC 4180), whose first line names the fields."""

import csv
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

from libs.httpapi.bodies import MAX_BODY_BYTES, MAX_ERRORS
from libs.httpapi.problems import FieldError as Refusal
from libs.httpapi.problems import Problem, invalid
from services.user.app.import_people import PASSED_OVER, Line
from services.user.domain.cells import KINDS_SEPARATOR, as_given
from services.user.domain.errors import FieldError
from services.user.domain.profile import REQUIRED_FIELDS, Profile, unknown_field
from services.user.entrypoints.lines import TOO_LONG

FIELDS: Final = Profile.__struct_fields__
ROW_LINES_MAX: Final = 20
"""A quote that is not closed for so many lines was never meant to span them."""

_BOM: Final = b"\xef\xbb\xbf"
_UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
_OTHER_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_UNCLOSED: Final = FieldError(
    "", "malformed_csv", 'a quote that opens on this line is not closed; write " inside as ""'
)
_STRAY_QUOTE: Final = FieldError(
    "", "malformed_csv", 'a quoted cell must end at its second quote; write " inside as ""'
)
_LONE_RETURN: Final = FieldError("", "malformed_csv", "end lines with LF or CR LF, not with CR")
_NO_UTF8: Final = FieldError("", "not_utf8", "is not UTF-8: save the file as CSV UTF-8")


async def read_columns(pieces: AsyncIterator[bytes]) -> tuple[Sequence[str], bytes]:
    """Return the columns that the first line names, and what came with it of the next lines.

    Raises:
        Problem: 422 for a column that is unknown, named twice or missing, and where the file is
            not UTF-8, not separated by commas, or empty.
    """
    head = b""
    async for piece in pieces:
        head += piece
        if b"\n" in head or len(head) > MAX_BODY_BYTES:
            break
    line, _, rest = head.partition(b"\n")
    return columns_of(line), rest


def columns_of(line: bytes) -> Sequence[str]:
    """Return the names in the first ``line`` of a file.

    Raises:
        Problem: see ``read_columns``.
    """
    if line.startswith(_UTF16) or b"\0" in line:
        raise _no_table("not_utf8", "the file is UTF-16: save it as CSV UTF-8")
    row = _cells(line.removeprefix(_BOM))
    if isinstance(row, FieldError):
        raise _no_table(row.code, f"the first line {row.detail}")
    names = [name.strip() for name in row or ()]
    if not any(names):
        raise _no_table("no_columns", "the first line must name the columns")
    if len(names) == 1 and (separator := next(iter(_OTHER_SEPARATORS.keys() & set(names[0])), "")):
        used = _OTHER_SEPARATORS[separator]
        raise _no_table("wrong_separator", f"the columns are separated by {used}, not by commas")
    if errors := _column_errors(names):
        raise invalid(errors[:MAX_ERRORS])
    return names


class CsvReader:
    """Reads rows under ``columns``; a row has the number of the line on which it begins.

    An empty cell counts as absent, a row without any content is none. Rows before ``from_line``
    are passed over. A quoted cell may hold line breaks; one that is not closed spoils its own line
    and no other.
    """

    def __init__(self, columns: Sequence[str], *, from_line: int = 1) -> None:
        self._columns = columns
        self._from_line = from_line
        self._open: list[tuple[int, bytes]] = []

    def read(self, number: int, text: bytes | None) -> Sequence[Line]:
        """Return the row that this line completes, if it does."""
        if text is None:
            return [*self.end(), *self._line(number, TOO_LONG)]
        if not self._open and b'"' not in text:
            return self._line(number, _cells(text))
        return self._close([*self._open, (number, text)], is_last=False)

    def end(self) -> Sequence[Line]:
        """Return the rows of a quote that was never closed."""
        return self._close(self._open, is_last=True) if self._open else ()

    def _close(self, lines: list[tuple[int, bytes]], *, is_last: bool) -> list[Line]:
        """Return the rows ``lines`` hold; what may still go on stays open."""
        found: list[Line] = []
        self._open = lines
        while self._open:
            number = self._open[0][0]
            taken, row = self._first_row(is_last=is_last)
            if not taken:
                break
            self._open = self._open[taken:]
            found += self._line(number, row)
        return found

    def _first_row(self, *, is_last: bool) -> tuple[int, list[str] | FieldError]:
        """Return how many of the open lines make the first row, 0 while it may go on.

        Lines that only together do not fit the columns were joined by stray quotes.
        """
        texts = [text for _, text in self._open]
        for count in range(1, len(texts) + 1):
            row = _cells(b"\n".join(texts[:count]))
            if row is _UNCLOSED:
                continue
            if count == 1 or (not isinstance(row, FieldError) and len(row) == len(self._columns)):
                return count, row
            return 1, _UNCLOSED
        is_hopeless = len(texts) > ROW_LINES_MAX or sum(map(len, texts)) > MAX_BODY_BYTES
        return (1 if is_last or is_hopeless else 0), _UNCLOSED

    def _line(self, number: int, row: list[str] | FieldError) -> Sequence[Line]:
        if number < self._from_line:
            return ()
        if isinstance(row, FieldError):
            return (Line(number, row),)
        if not any(cell.strip() for cell in row):
            return ()
        return (Line(number, self._document(row)),)

    def _document(self, row: list[str]) -> dict[str, Any] | FieldError:
        if len(row) != len(self._columns):
            return _ragged(len(row), len(self._columns))
        return {
            name: as_given(cell) if name != "opt_outs" else _kinds(cell)
            for name, cell in zip(self._columns, row, strict=True)
            if cell and not cell.isspace()
        }


def _cells(text: bytes) -> list[str] | FieldError:
    """Return the cells of a row; ``_UNCLOSED`` where it goes on in the next line."""
    try:
        decoded = text.removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        return _NO_UTF8
    if '"' not in decoded:
        return decoded.split(",") if "\r" not in decoded else _LONE_RETURN
    if decoded.count('"') % 2:
        return _UNCLOSED
    try:
        (row,) = csv.reader([decoded], strict=True)
    except (csv.Error, ValueError):
        return _STRAY_QUOTE
    return row


def _kinds(cell: str) -> list[str]:
    return [kind.strip() for kind in cell.split(KINDS_SEPARATOR) if kind.strip()]


def _ragged(cells: int, columns: int) -> FieldError:
    advice = "put a value that holds a comma in quotes" if cells > columns else "add what is empty"
    detail = f"has {cells} cells where the first line names {columns} columns: {advice}"
    return FieldError("", "wrong_number_of_cells", detail)


def _column_errors(names: Sequence[str]) -> list[Refusal]:
    errors = []
    for place, name in enumerate(names, start=1):
        if name in names[: place - 1]:
            detail = f"column {place}, {name!r}, is named twice"
            errors.append(Refusal(None, "duplicate_column", detail))
        elif name not in FIELDS and name not in PASSED_OVER:
            unknown = unknown_field(name)
            detail = f"column {place}, {name[:100]!r}, {unknown.detail}"
            errors.append(Refusal(None, "unknown_column", detail))
    missing = [name for name in REQUIRED_FIELDS if name not in names]
    return errors + [
        Refusal(None, "missing_column", f"there is no column {name}") for name in missing
    ]


def _no_table(code: str, detail: str) -> Problem:
    return invalid([Refusal(None, code, detail)])
