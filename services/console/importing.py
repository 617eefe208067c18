"""Imports a file: sends it, reads the outcomes meanwhile, keeps what was refused."""

from collections import Counter
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from libs.clock import monotonic_s
from services.console.api import Api
from services.console.files import (
    MEDIA_TYPES,
    Contents,
    Format,
    LinesByNumber,
    measure,
    pieces,
)
from services.console.journal import Journal, Place
from services.console.progress import Progress
from services.console.rejected import Rejected

_TOLD_MAX: Final = 20
"""Problems told one by one; the rest is in the file of rejected rows."""
_NOTED_EVERY_S: Final = 1.0
_WORDS: Final = {
    "created": "registered",
    "unchanged": "registered before",
    "exists": "registered before and changed since",
    "valid": "without a fault",
    "failed": "rejected",
}

_outcome = msgspec.json.Decoder(dict[str, Any])


class Import:
    """One import of one file."""

    def __init__(
        self, path: Path, *, form: Format, is_dry_run: bool, is_resumed: bool, out: TextIO
    ) -> None:
        self._path = path
        self._form = form
        self._is_dry_run = is_dry_run
        self._out = out
        self._journal = Journal(path)
        self._contents: Contents = measure(path)
        place = self._journal.read(self._contents) if is_resumed else _beginning(self._contents)
        self._counts = Counter(place.counts)
        self._next_line = place.next_line
        self._rejected = Rejected(path, form=form, kept_bytes=place.rejected_bytes)
        self._noted_s = 0.0

    async def run(self, api: Api, progress_out: TextIO) -> int:
        """Return how many rows were rejected.

        Whatever interrupts it, the place is noted, so that it can be resumed.
        """
        progress = Progress(progress_out, total=self._contents.lines, done=self._next_line)
        source = LinesByNumber(self._path, form=self._form)
        try:
            await self._take(api, source, progress)
        finally:
            progress.clear()
            source.close()
            self._note()
            self._rejected.close()
        self._journal.forget()
        self._tell_sum()
        return self._counts["failed"]

    @property
    def next_line(self) -> int:
        """The first line without an outcome."""
        return self._next_line

    async def _take(self, api: Api, source: LinesByNumber, progress: Progress) -> None:
        query = {"from_line": str(self._next_line), "dry_run": str(self._is_dry_run).lower()}
        async with api.stream(
            "user",
            "POST",
            "/v1/users/import",
            query=query,
            body=pieces(self._path),
            headers={"Content-Type": MEDIA_TYPES[self._form]},
        ) as answer:
            while text := await answer.content.readline():
                outcome = _outcome.decode(text)
                self._count(outcome, source, progress)
                progress.show(outcome["line"], f"{self._counts['failed']:,} rejected")

    def _count(self, outcome: dict[str, Any], source: LinesByNumber, progress: Progress) -> None:
        self._counts[outcome["status"]] += 1
        if outcome["status"] == "failed":
            self._reject(outcome, source, progress)
        for warning in outcome.get("warnings", ()):
            self._counts["warnings"] += 1
            if self._counts["warnings"] == 1:
                progress.clear()
                self._say(f"line {outcome['line']}: {warning['detail']}")
        self._next_line = outcome["line"] + 1
        if monotonic_s() - self._noted_s > _NOTED_EVERY_S:
            self._note()

    def _reject(self, outcome: dict[str, Any], source: LinesByNumber, progress: Progress) -> None:
        line = source.find(outcome["line"])
        values = source.cells(line)
        problems = [sentence(error, values) for error in outcome["errors"]]
        self._rejected.add(line, f"line {outcome['line']}: {'; '.join(problems)}", source)
        for problem in problems:
            self._counts["told"] += 1
            if self._counts["told"] <= _TOLD_MAX:
                progress.clear()
                self._say(f"line {outcome['line']}, {problem}")

    def _note(self) -> None:
        self._noted_s = monotonic_s()
        if self._next_line > 1 and not self._is_dry_run:
            self._rejected.flush()
            self._journal.write(
                Place(
                    self._contents.digest,
                    self._next_line,
                    dict(self._counts),
                    self._rejected.kept_bytes,
                )
            )

    def _tell_sum(self) -> None:
        if (untold := self._counts["told"] - _TOLD_MAX) > 0:
            self._say(f"and {untold:,} problems more")
        parts = [
            f"{self._counts[name]:,} {word}" for name, word in _WORDS.items() if self._counts[name]
        ]
        self._say(", ".join(parts) or "nothing to import")
        if self._counts["failed"]:
            self._say(f"rejected rows with their problems: {self._rejected.path}")

    def _say(self, line: str) -> None:
        self._out.write(f"{line}\n")
        self._out.flush()


def sentence(error: dict[str, Any], values: dict[str, str]) -> str:
    """Return what is wrong with a row, naming the column and the value where there is one."""
    column, _, _ = error["pointer"].removeprefix("/").partition("/")
    if not column:
        return f"the row {error['detail']}" if _is_predicate(error["detail"]) else error["detail"]
    value = values.get(column, "")
    blank = ", without the blank around it" if value != value.strip() else ""
    return f"column {column}{f' ({value!r})' if value else ''}: {error['detail']}{blank}"


def _is_predicate(detail: str) -> bool:
    return detail.startswith(("has ", "is ", "must "))


def _beginning(contents: Contents) -> Place:
    return Place(contents.digest, 1, {}, 0)
