"""A file as a provider: every mail is one JSON line, on disk before it counts as accepted."""

import asyncio
import fcntl
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from libs.clock import monotonic_s
from services.dispatcher.adapters.providers.provider import FindError, Found, Missing, Traits
from services.dispatcher.adapters.providers.reasons import LEASE_SHORT
from services.dispatcher.domain.delivery import Accepted, Deferred, Result, Unknown
from services.dispatcher.domain.greeting import Mail

_READABLE_BY_OWNER = 0o600
_encoder = msgspec.json.Encoder()


class _Line(msgspec.Struct, frozen=True):
    message_id: str


_line = msgspec.json.Decoder(_Line)


class FileProvider:
    """Appends to one file, which any number of processes may share."""

    def __init__(self, path: Path, *, timeout_s: float) -> None:
        self.traits = Traits(name="file", timeout_s=timeout_s, can_find=True)
        self._path = path

    async def deliver(self, mails: Sequence[Mail], *, start_before_s: float) -> list[Result]:
        lines = b"".join(_encoder.encode(mail) + b"\n" for mail in mails)
        return await asyncio.to_thread(self._deliver, mails, lines, start_before_s)

    async def find(self, *, occurrence: str, message_id: str) -> Found | Missing:
        try:
            return await asyncio.to_thread(self._search, message_id)
        except OSError as error:
            raise FindError(f"{occurrence}: {error.strerror}") from error

    async def close(self) -> None:
        """Nothing is held between calls."""

    def _deliver(self, mails: Sequence[Mail], lines: bytes, start_before_s: float) -> list[Result]:
        try:
            opened = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, _READABLE_BY_OWNER)
        except OSError:
            return [Deferred("unreachable")] * len(mails)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX)
            if monotonic_s() >= start_before_s:
                return [LEASE_SHORT] * len(mails)
            return self._append(opened, mails, lines)
        finally:
            os.close(opened)

    def _append(self, opened: int, mails: Sequence[Mail], lines: bytes) -> list[Result]:
        """Write all lines or none; a tail that a crash tore is ended first."""
        size = os.fstat(opened).st_size
        torn = size > 0 and os.pread(opened, 1, size - 1) != b"\n"
        try:
            _write_all(opened, b"\n" + lines if torn else lines)
            os.fsync(opened)
        except OSError:
            return [_taken_back(opened, size)] * len(mails)
        return [Accepted(mail.message_id) for mail in mails]

    def _search(self, message_id: str) -> Found | Missing:
        needle = message_id.encode()
        try:
            with self._path.open("rb") as lines:
                for line in lines:
                    if needle in line and _message_id(line) == message_id:
                        return Found(message_id)
        except FileNotFoundError:
            return Missing()
        return Missing()


def _write_all(opened: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(opened, rest) :]


def _taken_back(opened: int, size: int) -> Result:
    try:
        os.ftruncate(opened, size)
        os.fsync(opened)
    except OSError:
        return Unknown("connection_lost")
    return Deferred("server_error")


def _message_id(line: bytes) -> str | None:
    try:
        return _line.decode(line).message_id
    except msgspec.DecodeError:
        return None
