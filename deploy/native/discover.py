"""Finding server programs that are installed already."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

PATH_TOO = (*os.get_exec_path(), "/usr/sbin", "/usr/local/sbin")
"""Where programs are looked for beside the usual folders of packages."""
OLDEST_POSTGRES = 14
"""The relay's cursor needs multirange types."""
POSTGRES_PROGRAMS = ("initdb", "postgres", "psql")
POSTGRES_FOLDERS = (
    "usr/lib/postgresql/*/bin",
    "usr/pgsql-*/bin",
    "opt/homebrew/opt/postgresql@*/bin",
)
RABBITMQ_FOLDERS = (
    "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "opt/homebrew/opt/rabbitmq/sbin",
    "usr/local/opt/rabbitmq/sbin",
)


def find_postgres(root: Path = Path("/")) -> Path | None:
    """Return the folder with the programs of the newest PostgreSQL that is new enough."""
    found = [
        folder
        for folder in (*_matching(root, POSTGRES_FOLDERS), *_on_path("postgres"))
        if all((folder / program).exists() for program in POSTGRES_PROGRAMS)
    ]
    versions = {folder: _major(folder) for folder in found}
    usable = [folder for folder in found if versions[folder] >= OLDEST_POSTGRES]
    return max(usable, key=lambda folder: versions[folder], default=None)


def find_rabbitmq(root: Path = Path("/")) -> Path | None:
    """Return the folder with RabbitMQ's own scripts.

    Not Debian's commands in PATH: those switch accounts and refuse everybody else.
    """
    found = [
        folder
        for folder in (*_matching(root, RABBITMQ_FOLDERS), *_on_path("rabbitmq-server"))
        if (folder / "rabbitmq-server").exists() and (folder / "rabbitmq-env").exists()
    ]
    return max(found, key=str, default=None)


def _matching(root: Path, patterns: Sequence[str]) -> list[Path]:
    return [folder for pattern in patterns for folder in root.glob(pattern)]


def _on_path(program: str) -> list[Path]:
    found = shutil.which(program, path=os.pathsep.join(PATH_TOO))
    return [Path(found).resolve().parent] if found else []


def _major(folder: Path) -> int:
    """Return the major version a folder's name tells; unknown ones count as new enough."""
    number = re.search(r"(\d+)", folder.parent.name)
    return int(number.group(1)) if number else OLDEST_POSTGRES
