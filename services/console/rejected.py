"""Keeps the rows that were refused, each with its problem, so that they can be mended and sent."""

import contextlib
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from services.console.files import (
    PROBLEM,
    Format,
    LinesByNumber,
    cell,
    without_problem,
)

_object = msgspec.json.Decoder(dict[str, Any])


class Rejected:
    """The file beside ``path``; it is only made when a row is refused.

    In a table the problem is the first column, so that a row keeps its cells, however many.
    """

    def __init__(self, path: Path, *, form: Format, kept_bytes: int = 0) -> None:
        self.path = path.with_name(f"{path.name}.rejected.{form}")
        self._form = form
        self._file: BinaryIO | None = None
        self._kept_bytes = kept_bytes
        if not kept_bytes:
            self.path.unlink(missing_ok=True)

    @property
    def kept_bytes(self) -> int:
        """How long the file is."""
        return self._kept_bytes

    def add(self, line: bytes, problem: str, source: LinesByNumber) -> None:
        """Keep a line of ``source`` with its problem."""
        if self._file is None:
            self._file = self._open(source.header)
        self._write(self._row(line, problem, source.header))

    def flush(self) -> None:
        """Hand everything to the operating system."""
        if self._file is not None:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()

    def _open(self, header: bytes) -> BinaryIO:
        file = self.path.open("r+b" if self._kept_bytes else "wb")
        # What was written after the last note of progress is refused again.
        file.truncate(self._kept_bytes)
        file.seek(self._kept_bytes)
        self._file = file
        if not self._kept_bytes and self._form == "csv":
            self._write(PROBLEM.encode() + b"," + without_problem(header, header))
        return file

    def _row(self, line: bytes, problem: str, header: bytes) -> bytes:
        if self._form == "csv":
            return cell(problem) + b"," + without_problem(header, line)
        with contextlib.suppress(msgspec.DecodeError):
            return msgspec.json.encode({PROBLEM: problem, **_without(_object.decode(line))})
        return msgspec.json.encode({PROBLEM: problem, "line": line.decode(errors="replace")})

    def _write(self, row: bytes) -> None:
        if self._file is not None:
            self._kept_bytes += self._file.write(row + b"\n")


def _without(document: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if name != PROBLEM}
