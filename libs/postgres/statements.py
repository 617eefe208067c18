"""Named SQL: one statement a file, the file's name is the statement's name."""

from importlib import resources


class Statements:
    """The statements of one package, as attributes named after their files."""

    def __init__(self, texts: dict[str, str], package: str) -> None:
        self._texts = texts
        self._package = package

    def __getattr__(self, name: str) -> str:
        try:
            return self._texts[name]
        except KeyError:
            raise AttributeError(f"{self._package} has no statement {name}.sql") from None


def statements(package: str) -> Statements:
    """Return all ``.sql`` files of ``package``, read now."""
    folder = resources.files(package)
    return Statements(
        {
            entry.name.removesuffix(".sql"): entry.read_text(encoding="utf-8")
            for entry in folder.iterdir()
            if entry.name.endswith(".sql")
        },
        package,
    )
