"""Lines of JSON, in and out, however many, in bounded memory."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec

from libs.httpapi.bodies import MAX_BODY_BYTES, parse_json
from libs.httpapi.problems import Problem
from services.user.app.import_people import Line
from services.user.domain.errors import FieldError

MAX_BATCH_BYTES: Final = 1 << 20
"""A batch ends at this size even if it may hold more lines."""

_MEMBER: Final = re.compile(rb'"\s*:')
_TOO_LONG: Final = FieldError("", "too_long", f"a line has at most {MAX_BODY_BYTES} bytes")
_NO_OBJECT: Final = FieldError("", "wrong_type", "must be an object")
_decoder: Final = msgspec.json.Decoder()


async def batches(pieces: AsyncIterator[bytes], *, limit: int) -> AsyncIterator[list[Line]]:
    """Yield the lines in ``pieces``, numbered from 1, in batches of at most ``limit``.

    An empty piece says that the sender pauses: the lines there are handed on, even if there are
    none.
    """
    splitter = _Splitter(limit)
    async for piece in pieces:
        for batch in splitter.add(piece):
            yield batch
        if not piece:
            yield splitter.take()
    splitter.end()
    yield splitter.take()


class _Splitter:
    """Cuts pieces into lines and lines into batches; keeps less than a batch and a line."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._is_skipping = False
        self._number = 0
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

    def take(self) -> list[Line]:
        """Return the lines since the last batch."""
        batch, self._batch, self._batch_bytes = self._batch, [], 0
        return batch

    def _keep(self, text: bytes) -> None:
        is_too_long = self._is_skipping or len(text) > MAX_BODY_BYTES
        self._is_skipping = False
        self._number += 1
        self._batch.append(Line(self._number, _TOO_LONG if is_too_long else read_line(text)))
        self._batch_bytes += len(text)


def read_line(text: bytes) -> dict[str, Any] | FieldError:
    """Return the object on one line, read as strictly as a request's body.

    The fast reader takes a repeated name without a word; it can only be there if the line has more
    names than the object it gives.
    """
    try:
        value = _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = None
    is_flat = isinstance(value, dict) and not any(isinstance(one, dict) for one in value.values())
    if is_flat and len(_MEMBER.findall(text)) == len(value):
        return value  # type: ignore[no-any-return]
    return _read_strictly(text)


def _read_strictly(text: bytes) -> dict[str, Any] | FieldError:
    try:
        value = parse_json(text)
    except Problem as problem:
        if problem.errors:
            first = problem.errors[0]
            return FieldError(first.pointer or "", first.code, first.detail)
        return FieldError("", problem.code, problem.detail or problem.title)
    return value if isinstance(value, dict) else _NO_OBJECT
