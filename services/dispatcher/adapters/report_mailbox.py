"""A mailbox on this machine to which reports come: a Maildir folder, or a file in mbox form."""

import contextlib
import mailbox
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from services.dispatcher.adapters.report_mails import MAX_REPORT_BYTES

_AT_ONCE = 100


class MailboxBusyError(Exception):
    """Somebody else holds the mailbox, or there is none; look again later."""


class Arrived(msgspec.Struct, frozen=True):
    """One mail in the box; ``raw`` is cut where it is too long to be a report."""

    key: Any
    raw: bytes


class OpenMailbox:
    """A mailbox that is locked against whoever delivers to it, as far as its form needs that."""

    def __init__(self, box: "mailbox.Mailbox[Any]") -> None:
        self._box = box

    def read(self) -> list[Arrived]:
        """Return some of the mails, without those that another reader takes out meanwhile.

        Raises:
            MailboxBusyError: this is no mailbox, or it cannot be read now.
        """
        with _busy():
            keys = sorted(self._box.keys())[:_AT_ONCE]
            read = [(key, self._cut(key)) for key in keys]
        return [Arrived(key, raw) for key, raw in read if raw is not None]

    def remove(self, arrived: list[Arrived]) -> None:
        """Take these mails out for good.

        Raises:
            MailboxBusyError: the box changed behind our lock, or cannot be written.
        """
        with _busy():
            for mail in arrived:
                self._box.discard(mail.key)
            self._box.flush()

    def _cut(self, key: Any) -> bytes | None:
        try:
            with contextlib.closing(self._box.get_file(key)) as file:
                raw: bytes = file.read(MAX_REPORT_BYTES + 1)
        except (KeyError, FileNotFoundError):
            return None
        return raw


@contextlib.contextmanager
def opened(path: Path) -> Iterator[OpenMailbox]:
    """Yield the mailbox at ``path``.

    Raises:
        MailboxBusyError: it is held by somebody else, or is not there.
    """
    with _busy():
        box = _open(path)
        box.lock()
    try:
        yield OpenMailbox(box)
    finally:
        with _busy():
            box.close()


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    try:
        yield
    except (OSError, mailbox.Error) as error:
        raise MailboxBusyError(type(error).__name__) from error


def _open(path: Path) -> "mailbox.Mailbox[Any]":
    if path.is_dir():
        return mailbox.Maildir(path, factory=None, create=False)
    return mailbox.mbox(path, factory=None, create=False)
