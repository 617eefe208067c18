"""The file an import reads: its format, its length, its lines by number."""

import csv
import hashlib
import io
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final, Literal

import msgspec

from services.console.errors import CommandError

Format = Literal["csv", "ndjson"]
MEDIA_TYPES: Final[dict[Format, str]] = {"csv": "text/csv", "ndjson": "application/x-ndjson"}
PROBLEM: Final = "problem"

_FORMATS: Final[dict[str, Format]] = {
    ".csv": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
}
_PIECE_BYTES: Final = 1 << 16
_ROW_LINES_MAX: Final = 20
_FIRST_CELL: Final = re.compile(rb'(?:"(?:[^"]|"")*"|[^,"]*)(?:,|$)')
_BOM: Final = b"\xef\xbb\xbf"


class Contents(msgspec.Struct, frozen=True):
    """How many lines a file has, and what tells it from a changed one."""

    lines: int
    digest: str


def format_of(path: Path, given: Format | None) -> Format:
    """Return the format that is given, or else that the name of the file tells.

    Raises:
        CommandError: neither does.
    """
    form = given or _FORMATS.get(path.suffix.lower())
    if form is None:
        raise CommandError(f"{path.name} may be CSV or NDJSON: say --format csv or --format ndjson")
    return form


def measure(path: Path) -> Contents:
    """Return what is in the file.

    Raises:
        CommandError: it cannot be read.
    """
    digest, lines, last = hashlib.blake2b(digest_size=16), 0, b"\n"
    try:
        with path.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                digest.update(piece)
                lines += piece.count(b"\n")
                last = piece[-1:]
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}") from error
    return Contents(lines + (last != b"\n"), digest.hexdigest())


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """Yield the file in pieces."""
    with path.open("rb") as file:
        while piece := file.read(_PIECE_BYTES):
            yield piece


class LinesByNumber:
    """Finds lines of a file whose numbers ascend, in one walk through it."""

    def __init__(self, path: Path, *, form: Format) -> None:
        self._file = path.open("rb")
        self._form = form
        self._number = 0
        self.header = self._next().removeprefix(_BOM) if form == "csv" else b""
        self.columns = [name.strip() for name in _cells(self.header)] if form == "csv" else []

    def find(self, number: int) -> bytes:
        """Return line ``number``, with the lines that a quoted cell in it goes on into."""
        line = b""
        while self._number < number:
            line = self._next()
        if self._form == "csv" and line.count(b'"') % 2:
            return self._closed(line)
        return line

    def cells(self, line: bytes) -> dict[str, str]:
        """Return the cells of a row of the table by their columns, as far as they can be told."""
        return dict(zip(self.columns, _cells(line), strict=False))

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _closed(self, line: bytes) -> bytes:
        """Return ``line`` with what follows up to its closing quote, alone where none is near."""
        place, number, whole = self._file.tell(), self._number, line
        for _ in range(_ROW_LINES_MAX):
            following = self._next()
            whole += b"\n" + following
            if following.count(b'"') % 2:
                return whole
        self._file.seek(place)
        self._number = number
        return line

    def _next(self) -> bytes:
        self._number += 1
        return self._file.readline().rstrip(b"\r\n")


def without_problem(header: bytes, line: bytes) -> bytes:
    """Return ``line`` without its first cell if that is the problem of an earlier import."""
    if [name.strip() for name in _cells(header)[:1]] != [PROBLEM]:
        return line
    return line[match.end() :] if (match := _FIRST_CELL.match(line)) else line


def cell(text: str) -> bytes:
    """Return ``text`` as a cell of a table."""
    row = io.StringIO()
    csv.writer(row, lineterminator="").writerow([text])
    return row.getvalue().encode()


def _cells(line: bytes) -> list[str]:
    rows = list(csv.reader(io.StringIO(line.decode(errors="replace"), newline="")))
    return rows[0] if rows else []
