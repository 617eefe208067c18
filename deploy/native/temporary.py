"""A command beside servers of its own, which are gone when it ends."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType

from deploy.native import environment, servers
from deploy.native.instance import ROOT, Instance

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_S = 60.0


def run_with_servers(instance: Instance, command: Sequence[str], *, for_tests: bool) -> int:
    """Run ``command`` beside fresh servers and return its status; only logs stay behind.

    Servers are stopped and deleted however the command or this process is ended, short of
    SIGKILL; what that leaves running is found and stopped by the next call.

    Raises:
        CannotContinueError: another command uses the folder, or the servers cannot be had.
    """
    with instance.locked("in-use", wait=False), _signals_as_exit():
        servers.reset(instance)
        try:
            if for_tests:
                given = servers.up_for_tests(instance)
                environ = {**_without_settings(os.environ), **given}
            else:
                environ = {**os.environ, **servers.up(instance)}
            return _run(command, environ)
        finally:
            with _signals_ignored():
                servers.reset(instance, logs=False)


def _run(command: Sequence[str], environ: Mapping[str, str]) -> int:
    """Run ``command`` in a session of its own, so that each signal reaches it exactly once."""
    child = subprocess.Popen(command, cwd=ROOT, env=dict(environ), start_new_session=True)

    def pass_on(number: int, _frame: FrameType | None) -> None:
        child.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in SIGNALS}
    try:
        status = child.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return status if status >= 0 else 128 - status


def _without_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Return ``environ`` without what steers services: tests bring their own settings."""
    prefixes = tuple(f"{service.upper()}_" for service in environment.SERVICES)
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith(prefixes) and name not in {"JUBILEE_ENV", "JUBILEE_CLOCK"}
    }


@contextmanager
def _signals_as_exit() -> Iterator[None]:
    """Turn the signals that end a command into SystemExit, so that ``finally`` runs."""

    def leave(number: int, _frame: FrameType | None) -> None:
        sys.exit(128 + number)

    with _handlers(leave):
        yield


@contextmanager
def _signals_ignored() -> Iterator[None]:
    with _handlers(signal.SIG_IGN):
        yield


@contextmanager
def _handlers(handler: "signal._HANDLER") -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)
