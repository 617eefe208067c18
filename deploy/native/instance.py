"""One instance: a folder with private servers, their state and the environment for others."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deploy.native.daemons import Daemon
from deploy.native.errors import CannotContinueError
from deploy.native.ports import free_port

ROOT = Path(__file__).resolve().parents[2]


@dataclass
class State:
    """What must be known to find, use and stop the servers again; kept in ``state.json``."""

    ports: dict[str, int] = field(default_factory=dict)
    secrets: dict[str, str] = field(default_factory=dict)
    daemons: dict[str, Daemon] = field(default_factory=dict)
    completed: list[str] = field(default_factory=list)  # servers whose first start succeeded
    postgres_home: str = ""
    uses_containers: bool = False
    migrated: str = ""  # fingerprint of what `migrate` was last run for

    def port(self, name: str) -> int:
        """Return the port allotted to ``name``, allotting one at the first question."""
        if name not in self.ports:
            self.ports[name] = free_port(avoid=set(self.ports.values()))
        return self.ports[name]

    def secret(self, name: str) -> str:
        """Return the generated password of ``name``, the same one every time."""
        return self.secrets.setdefault(name, secrets.token_hex(16))


class Instance:
    """The folder of an instance; the only one who reads and writes its state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.logs = self.folder / "logs"
        self.env_file = self.folder / "env"
        self.keys_file = self.folder / "api-keys.json"
        self.processes = self.folder / "processes"
        self._state_file = self.folder / "state.json"

    def read(self) -> State:
        """Return the state as last written; an empty one where nothing (readable) was."""
        try:
            fields: dict[str, Any] = json.loads(self._state_file.read_text())
            daemons = {name: Daemon(**daemon) for name, daemon in fields.pop("daemons").items()}
            return State(**fields, daemons=daemons)
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return State()

    def write(self, state: State) -> None:
        """Keep ``state``, readable by its owner only; a crash leaves the old or the new one."""
        self.logs.mkdir(parents=True, exist_ok=True)
        write_private(self._state_file, json.dumps(asdict(state), indent=2) + "\n")

    @contextlib.contextmanager
    def locked(self, name: str = "lock", *, wait: bool = True) -> Iterator[None]:
        """Keep every other command that takes the lock ``name`` of this folder out meanwhile.

        Raises:
            CannotContinueError: another command holds it and ``wait`` is false.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / name).open("w") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise CannotContinueError(
                    f"another command is using {self.folder}; wait for its end, "
                    "or choose another folder with JUBILEE_FOLDER"
                ) from None
            yield

    def forget(self, *, logs: bool) -> None:
        """Delete what this instance keeps; folders of other instances inside it stay."""
        state = self.read()
        places = [self.folder / "postgres", self.folder / "rabbitmq", self.processes]
        for place in (*places, Path(state.postgres_home or places[0]), self.folder / "mail"):
            shutil.rmtree(place, ignore_errors=True)
        for file in (self.env_file, self.keys_file, self._state_file):
            file.unlink(missing_ok=True)
        if logs:
            shutil.rmtree(self.logs, ignore_errors=True)


def write_private(path: Path, text: str) -> None:
    """Replace ``path`` in one step by a file only its owner can read."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as handle:
        handle.write(text)
    draft.replace(path)
