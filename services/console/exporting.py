"""Exports everybody to a file, and goes on where an export was cut off."""

from pathlib import Path
from typing import BinaryIO, Final, TextIO
from uuid import UUID

import msgspec

from services.console.api import Api
from services.console.errors import CommandError
from services.console.files import Format
from services.console.progress import Progress

_HEADER: Final = b"id,"
_PIECE_BYTES: Final = 1 << 16


class _Line(msgspec.Struct):
    id: UUID


async def export_file(
    api: Api, path: Path, *, form: Format, is_resumed: bool, progress_out: TextIO
) -> int:
    """Write everybody to ``path`` and return how many people this was.

    Until everything is there it is called ``<path>.part``; a part is completed with
    ``is_resumed``.

    Raises:
        CommandError: the file is there already, or there is no part to go on with.
    """
    part = _part_of(path, is_resumed=is_resumed)
    with part.open("r+b" if is_resumed else "w+b") as file:
        people, last = _take_up(file, form)
        progress = Progress(progress_out, total=None, done=people)
        people = await _append(api, file, people, form=form, after=last, progress=progress)
        progress.clear()
    part.rename(path)
    return people


def _part_of(path: Path, *, is_resumed: bool) -> Path:
    part = path.with_name(f"{path.name}.part")
    if path.exists():
        raise CommandError(f"{path} is there already: move it away, or name another file")
    if is_resumed and not part.exists():
        raise CommandError(f"there is no {part}: leave out --resume")
    if not path.parent.is_dir():
        raise CommandError(f"there is no folder {path.parent}")
    return part


async def _append(
    api: Api,
    file: BinaryIO,
    people: int,
    *,
    form: Format,
    after: UUID | None,
    progress: Progress,
) -> int:
    query = {"format": form} | ({"after": str(after)} if after else {})
    is_table, is_begun = form == "csv", after is not None
    async with api.stream("user", "GET", "/v1/users/export", query=query) as answer:
        if is_table:
            header = await answer.content.readline()
            file.write(b"" if is_begun else header)
        async for line in answer.content:
            file.write(line)
            people += 1
            progress.show(people, "people")
    return people


def _take_up(file: BinaryIO, form: Format) -> tuple[int, UUID | None]:
    """Cut half a line off the end; return how many people are there, and the id of the last."""
    people, last, whole_bytes = 0, b"", 0
    for line in file:
        if not line.endswith(b"\n"):
            break
        whole_bytes += len(line)
        if form == "ndjson" or not line.startswith(_HEADER):
            people, last = people + 1, line
    file.seek(whole_bytes)
    file.truncate()
    if not last:
        file.seek(0)
        file.truncate()
        return 0, None
    return people, _id_on(last, form)


def _id_on(line: bytes, form: Format) -> UUID:
    if form == "csv":
        return UUID(line.split(b",", 1)[0].decode())
    return msgspec.json.decode(line, type=_Line).id
