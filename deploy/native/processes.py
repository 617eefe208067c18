"""A small supervisor: the processes of the system, started, watched, killed and stopped."""

import asyncio
import contextlib
import http.client
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.native import daemons
from deploy.native.instance import ROOT
from deploy.native.ports import free_port, is_free

__all__ = ["Process", "ProcessDiedError", "System", "free_port", "stop_leftovers"]

STOPPING_S = 50.0
"""Longer than the drain of any service takes at most, so that only a hung one is killed."""
PAUSE_FIRST_S, PAUSE_LONGEST_S = 0.5, 10.0
PROBE_TIMEOUT_S = 2.0


class ProcessDiedError(Exception):
    """A process ended where it should have run on, or failed where it should have succeeded."""

    def __init__(self, name: str, code: int, log: Path) -> None:
        super().__init__(
            f"{name} ended with status {code}; {log} ends\n{daemons.last_lines(log, 15)}"
        )
        self.name = name
        self.code = code


@dataclass
class Process:
    """One named process; the same object over all its restarts."""

    name: str
    command: tuple[str, ...]
    environ: Mapping[str, str]
    log: Path
    port: int | None
    restart: bool  # whether an end is followed by a new start; may be changed while it runs
    exits: list[int] = field(default_factory=list)  # a negative one is a signal's number
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    running: asyncio.subprocess.Process | None = None
    watcher: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return self.running.pid if self.running is not None else None


class System:
    """Every process of one system; leaving the block stops them all.

    ``env`` is the complete environment of the processes. Logs go to ``folder/logs``. A note about
    every process is kept in ``folder/processes``, so that even after a SIGKILL of this supervisor
    ``stop_leftovers`` finds what it left running.
    """

    def __init__(
        self,
        folder: Path,
        env: Mapping[str, str],
        *,
        tell: Callable[[str], None] = lambda text: None,  # noqa: ARG005
    ) -> None:
        self.folder = folder
        self.env = dict(env)
        self.processes: dict[str, Process] = {}
        self._tell = tell

    async def __aenter__(self) -> Self:
        (self.folder / "logs").mkdir(parents=True, exist_ok=True)
        (self.folder / "processes").mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop_all()

    async def start(
        self,
        name: str,
        module: str,
        roles: Sequence[str] = (),
        *,
        env: Mapping[str, str] | None = None,
        port: int | None = None,
        restart: bool = False,
    ) -> Process:
        """Run ``python -m module *roles`` as ``name`` and return at once.

        A service gets ``port``, else the port of an earlier process of this name, else the one in
        its environment if it is free, else a free one. With ``restart`` it is started again
        whenever it ends by itself or is killed, after a pause that doubles.

        Raises:
            ValueError: a process of this name still runs.
        """
        if self.is_running(name):
            raise ValueError(f"{name} runs already")
        environ = {**self.env, **(env or {})}
        port = self._settle_port(name, module, environ, port)
        process = Process(
            name=name,
            command=(sys.executable, "-m", module, *roles),
            environ=environ,
            log=self.folder / "logs" / f"{name}.log",
            port=port,
            restart=restart,
            exits=self.processes[name].exits if name in self.processes else [],
        )
        self.processes[name] = process
        await self._spawn(process)
        process.watcher = asyncio.create_task(self._watch(process), name=f"watch {name}")
        return process

    async def run(
        self,
        module: str,
        *arguments: str,
        env: Mapping[str, str] | None = None,
        timeout_s: float = 300.0,
    ) -> None:
        """Run ``python -m module *arguments`` to its end.

        Raises:
            ProcessDiedError: its status was not 0.
            TimeoutError: it took too long and was killed.
        """
        name = "-".join((module.rpartition(".")[2], *arguments))
        process = Process(
            name=name,
            command=(sys.executable, "-m", module, *arguments),
            environ={**self.env, **(env or {})},
            log=self.folder / "logs" / f"{name}.log",
            port=None,
            restart=False,
        )
        running = await self._spawn(process)
        try:
            code = await asyncio.wait_for(running.wait(), timeout_s)
        except (TimeoutError, asyncio.CancelledError):
            running.kill()
            await running.wait()
            raise
        finally:
            self._note(name).unlink(missing_ok=True)
        if code != 0:
            raise ProcessDiedError(name, code, process.log)

    async def ready(self, *names: str, timeout_s: float = 60.0) -> None:
        """Return once the named processes (all that have a port, if none is named) are ready.

        Raises:
            ProcessDiedError: one ended and is not going to be restarted.
            TimeoutError: not all were ready in time; the text says which and why.
        """
        chosen = [self.processes[name] for name in names] if names else self.processes.values()
        deadline = time.monotonic() + timeout_s
        for process in [process for process in chosen if process.port is not None]:
            answer = "nothing asked yet"
            while (answer := await asyncio.to_thread(_readiness, process.port)) != "ready":
                if process.exits and not self.is_running(process.name) and not process.restart:
                    raise ProcessDiedError(process.name, process.exits[-1], process.log)
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{process.name} is not ready: {answer}; see {process.log}")
                await asyncio.sleep(0.1)

    def url(self, name: str) -> str:
        """Return the base URL of a process that serves HTTP."""
        return f"http://127.0.0.1:{self.processes[name].port}"

    def is_running(self, name: str) -> bool:
        """Return whether a process of this name runs now."""
        process = self.processes.get(name)
        return process is not None and process.running is not None

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to a process; nothing happens to one that does not run."""
        process = self.processes[name]
        if process.running is not None:
            with contextlib.suppress(ProcessLookupError):
                process.running.send_signal(number)

    async def wait(self, name: str) -> int:
        """Return the status with which a process that is not restarted ends."""
        process = self.processes[name]
        if process.watcher is not None:
            await asyncio.wait({process.watcher})
        return process.exits[-1]

    async def stop(self, name: str, *, timeout_s: float = STOPPING_S) -> int | None:
        """Drain a process with SIGTERM, kill it after ``timeout_s``; return its last status."""
        process = self.processes[name]
        process.stopping.set()
        if process.watcher is None:
            return None
        self.kill(name, signal.SIGTERM)
        done, _ = await asyncio.wait({process.watcher}, timeout=timeout_s)
        if not done:
            self.kill(name, signal.SIGKILL)
            await asyncio.wait({process.watcher}, timeout=timeout_s)
        return process.exits[-1] if process.exits else None

    async def stop_all(self, *, timeout_s: float = STOPPING_S) -> None:
        """Stop every process, all at the same time."""
        await asyncio.gather(*(self.stop(name, timeout_s=timeout_s) for name in self.processes))

    async def _spawn(self, process: Process) -> asyncio.subprocess.Process:
        with process.log.open("ab") as log:
            process.running = await asyncio.create_subprocess_exec(
                *process.command,
                cwd=ROOT,
                env=dict(process.environ),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # A Ctrl-C of the terminal reaches the supervisor alone, which then drains.
                start_new_session=True,
            )
        daemon = daemons.find_daemon(process.running.pid)
        self._note(process.name).write_text(json.dumps(asdict(daemon)))
        return process.running

    async def _watch(self, process: Process) -> None:
        pause_s = PAUSE_FIRST_S
        while process.running is not None:
            begun = time.monotonic()
            code = await process.running.wait()
            process.running = None
            process.exits.append(code)
            self._note(process.name).unlink(missing_ok=True)
            if not process.restart or process.stopping.is_set():
                return
            pause_s = PAUSE_FIRST_S if time.monotonic() - begun > PAUSE_LONGEST_S else pause_s
            self._tell(f"{process.name} ended with status {code}; again in {pause_s:g} s")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.stopping.wait(), pause_s)
                return
            pause_s = min(pause_s * 2, PAUSE_LONGEST_S)
            await self._spawn(process)

    def _settle_port(
        self, name: str, module: str, environ: dict[str, str], port: int | None
    ) -> int | None:
        """Return the process's HTTP port and lay it into the environment of a service."""
        service = module.removeprefix("services.")
        if service == module:
            return port
        variable = f"{service.upper()}_HTTP_PORT"
        taken = {other.port for other in self.processes.values() if other.name != name}
        if port is None and name in self.processes:
            port = self.processes[name].port
        if port is None:
            configured = int(environ.get(variable) or 0)
            usable = configured and configured not in taken and is_free(configured)
            port = configured if usable else free_port(avoid={p for p in taken if p is not None})
        environ[variable] = str(port)
        return port

    def _note(self, name: str) -> Path:
        return self.folder / "processes" / f"{name}.json"


def stop_leftovers(folder: Path) -> None:
    """Stop the processes whose supervisor died before it could do so."""
    left = {}
    for note in folder.glob("*.json"):
        with contextlib.suppress(ValueError, TypeError):
            left[note] = daemons.Daemon(**json.loads(note.read_text()))
    for daemon in left.values():
        if daemons.is_alive(daemon):
            with contextlib.suppress(ProcessLookupError):
                os.kill(daemon.pid, signal.SIGTERM)
    for note, daemon in left.items():
        daemons.stop(daemon, by=signal.SIGTERM, timeout_s=STOPPING_S)
        note.unlink(missing_ok=True)


def _readiness(port: int | None) -> str:
    """Return ``ready``, or why a process is not."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PROBE_TIMEOUT_S)
    try:
        connection.request("GET", "/health/ready")
        answer = connection.getresponse()
        body = answer.read(500).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return f"no answer ({error})"
    finally:
        connection.close()
    return "ready" if answer.status == 200 else f"{answer.status} {body}"
