"""Where an import stopped, in a file beside the one it reads."""

from pathlib import Path

import msgspec

from services.console.errors import CommandError
from services.console.files import Contents


class Place(msgspec.Struct, frozen=True):
    """How far an import of a file has come: what was answered, and how it came out."""

    digest: str
    next_line: int
    counts: dict[str, int]
    rejected_bytes: int


class Journal:
    """The note beside ``path``. It may be a second old: what was answered since is answered again.

    That harms nobody: whoever is registered already comes out as ``unchanged``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.progress")

    def read(self, contents: Contents) -> Place:
        """Return where the import of these contents stopped.

        Raises:
            CommandError: there is no note, or the file has changed since.
        """
        try:
            place = msgspec.json.decode(self._path.read_bytes(), type=Place)
        except (OSError, msgspec.DecodeError) as error:
            raise CommandError(
                f"{self._path.name} does not tell where an import stopped: leave out --resume,"
                " nobody is registered twice"
            ) from error
        if place.digest != contents.digest:
            raise CommandError(
                "the file has changed since its import stopped: leave out --resume, nobody is"
                " registered twice"
            )
        return place

    def write(self, place: Place) -> None:
        """Note the place, all of it or nothing."""
        written = self._path.with_name(f"{self._path.name}.new")
        written.write_bytes(msgspec.json.encode(place))
        written.replace(self._path)

    def forget(self) -> None:
        """Remove the note: the import is done."""
        self._path.unlink(missing_ok=True)
