"""Cuts what comes in into lines and lines into batches, however many, in bounded memory."""

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Final, Protocol

from libs.httpapi.bodies import MAX_BODY_BYTES
from services.user.app.import_people import Line
from services.user.domain.errors import FieldError

MAX_BATCH_BYTES: Final = 1 << 20
"""A batch ends at this size even if it may hold more lines."""

TOO_LONG: Final = FieldError("", "too_long", f"a line has at most {MAX_BODY_BYTES} bytes")


class LineReader(Protocol):
    """Reads lines of one format, in their order."""

    def read(self, number: int, text: bytes | None) -> Iterable[Line]:
        """Return what line ``number`` completes; ``text`` is None where it was too long."""
        ...

    def end(self) -> Iterable[Line]:
        """Return what is left when no line follows."""
        ...


async def batches(
    pieces: AsyncIterator[bytes], reader: LineReader, *, limit: int, first: int = 1
) -> AsyncIterator[list[Line]]:
    """Yield what ``reader`` makes of ``pieces``, in batches of about ``limit`` lines.

    The first line has the number ``first``. An empty piece says that the sender pauses: the lines
    there are handed on, even if there are none.
    """
    splitter = _Splitter(reader, limit, first)
    async for piece in pieces:
        for batch in splitter.add(piece):
            yield batch
        if not piece:
            yield splitter.take()
    splitter.end()
    yield splitter.take()


class _Splitter:
    """Keeps less than a batch and a line."""

    def __init__(self, reader: LineReader, limit: int, first: int) -> None:
        self._reader = reader
        self._limit = limit
        self._number = first
        self._rest = b""
        self._is_skipping = False
        self._batch: list[Line] = []
        self._batch_bytes = 0

    def add(self, piece: bytes) -> Iterator[list[Line]]:
        """Take in a piece and yield every batch it fills."""
        *complete, rest = (self._rest + piece).split(b"\n")
        # Line by line, since the caller may do other work before it comes back for the next batch.
        for text in complete:
            self._keep(text)
            if len(self._batch) >= self._limit or self._batch_bytes >= MAX_BATCH_BYTES:
                yield self.take()
        self._is_skipping = self._is_skipping or len(rest) > MAX_BODY_BYTES
        self._rest = b"" if self._is_skipping else rest

    def end(self) -> None:
        """Take what is left as the last line, which needs no line break."""
        if self._rest or self._is_skipping:
            self._keep(self._rest)
        self._batch.extend(self._reader.end())

    def take(self) -> list[Line]:
        """Return the lines since the last batch."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        return batch

    def _keep(self, text: bytes) -> None:
        is_too_long = self._is_skipping or len(text) > MAX_BODY_BYTES
        self._is_skipping = False
        self._batch.extend(self._reader.read(self._number, None if is_too_long else text))
        self._batch_bytes += len(text)
        self._number += 1
