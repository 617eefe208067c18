"""Lines of JSON, in and out, however many, in bounded memory."""

import re
from collections.abc import AsyncIterator
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


async def batches(chunks: AsyncIterator[bytes], *, limit: int) -> AsyncIterator[list[Line]]:
    """Yield the lines of ``chunks``, numbered from 1, in batches of at most ``limit``."""
    batch: list[Line] = []
    batch_bytes = number = 0
    async for text in _lines(chunks):
        number += 1
        batch.append(Line(number, _TOO_LONG if text is None else read_line(text)))
        batch_bytes += len(text or b"")
        if len(batch) >= limit or batch_bytes >= MAX_BATCH_BYTES:
            yield batch
            batch, batch_bytes = [], 0
    if batch:
        yield batch


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


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes | None]:
    """Yield the lines without their ends; None for one that is too long, which is not kept."""
    rest = b""
    is_skipping = False
    async for chunk in chunks:
        *complete, rest = (rest + chunk).split(b"\n")
        for text in complete:
            yield None if is_skipping or len(text) > MAX_BODY_BYTES else text
            is_skipping = False
        if len(rest) > MAX_BODY_BYTES:
            is_skipping, rest = True, b""
    if is_skipping or rest:
        yield None if is_skipping else rest
