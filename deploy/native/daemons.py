"""Processes that outlive the command that started them."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from deploy.native.errors import CannotContinueError
from deploy.native.waiting import wait_until

# Run by a short-lived Python, so that the daemon's parent is gone at once and nobody here has
# to reap it.
DETACH = """
import subprocess, sys
with open(sys.argv[1], "ab") as log:
    daemon = subprocess.Popen(
        sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
    )
print(daemon.pid)
"""


@dataclass(frozen=True)
class Daemon:
    """A process by its id and the moment it was started, because ids are used again."""

    pid: int
    started: str


def launch(command: Sequence[str], *, log: Path, environ: Mapping[str, str], cwd: Path) -> Daemon:
    """Start ``command`` in a session of its own, its output appended to ``log``.

    Raises:
        CannotContinueError: the command could not be started.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", DETACH, str(log), *command],
        env=dict(environ),
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise CannotContinueError(f"{command[0]} could not be started: {reason[0]}")
    return find_daemon(int(done.stdout))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put off signals that would end this command until a start is also written down."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    before = {
        number: signal.signal(number, lambda number, _: pending.append(number))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    for late in pending:
        os.kill(os.getpid(), late)


def find_daemon(pid: int) -> Daemon:
    """Return what identifies the process ``pid`` as it runs now."""
    return Daemon(pid, _started(pid) or "gone")


def is_alive(daemon: Daemon | None) -> bool:
    """Return whether exactly this process still runs; a zombie does not."""
    return daemon is not None and _started(daemon.pid) == daemon.started


def stop(daemon: Daemon | None, *, by: signal.Signals, timeout_s: float) -> None:
    """Send ``by`` and return once the process is gone; after ``timeout_s`` it is killed."""
    for number, patience_s in ((by, timeout_s), (signal.SIGKILL, 10.0)):
        if daemon is None or not is_alive(daemon):
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(daemon.pid, number)
        wait_until(lambda: not is_alive(daemon), timeout_s=patience_s)


def last_lines(log: Path, count: int = 5) -> str:
    """Return the end of a log, indented for a message."""
    if not log.is_file():
        return "  (no log)"
    lines = log.read_text(errors="replace").splitlines()[-count:]
    return "\n".join(f"  {line}" for line in lines)


def _started(pid: int) -> str | None:
    """Return the start time of a living process in the system's own spelling."""
    stat = Path(f"/proc/{pid}/stat")
    if not Path("/proc/self/stat").exists():
        return _started_without_proc(pid)
    try:
        state, *fields = stat.read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in {"Z", "X"} else fields[18]


def _started_without_proc(pid: int) -> str | None:
    command = ["ps", "-o", "lstart=", "-p", str(pid)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or None
