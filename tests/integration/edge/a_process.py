"""A small service, started by tests as `python -m tests.integration.edge.a_process <behaviour>`.

It writes one word per step to stdout, so that a test can wait for it.
"""

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec

from libs.httpapi.app import create_app
from libs.httpapi.keys import ApiKeys
from libs.httpapi.serve import HttpServer
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.process import StartupError, run_process
from libs.settings import read_settings
from libs.telemetry.logs import configure_logs


class Settings(msgspec.Struct, frozen=True):
    """One knob."""

    http_port: int = 0


def say(word: str) -> None:
    """Tell the test how far we are."""
    sys.stdout.write(word + "\n")
    sys.stdout.flush()


async def serve() -> None:
    """Work in a loop that takes its time, beside an HTTP server."""

    async def step() -> None:
        say("taken")
        await asyncio.sleep(0.3)
        say("finished")

    settings = read_settings(Settings, "APP", os.environ)
    app = create_app([], title="t", version="1", auth=ApiKeys([]), health=Health())
    server = HttpServer(app, "127.0.0.1", settings.http_port)
    server.bind()
    say(str(server.port))
    await supervise([Loop("work", step)], [server])
    say("drained")


async def hang() -> None:
    """Never finish what was taken."""

    async def step() -> None:
        say("taken")
        await asyncio.sleep(3600)

    await supervise([Loop("work", step)], drain_timeout_s=0.1 if "short" in sys.argv else 3600)


async def start_slowly() -> None:
    """Never get beyond connecting."""
    say("connecting")
    await asyncio.sleep(3600)


async def refuse() -> None:
    """Meet a condition the operator must mend."""
    raise StartupError("3 migrations are pending: run python -m services.user migrate")


async def fail() -> None:
    """Meet an error nobody foresaw."""
    raise ValueError("cannot greet ada@example.org")


BEHAVIOURS: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {
    "serve": serve,
    "hang": hang,
    "start_slowly": start_slowly,
    "refuse": refuse,
    "fail": fail,
}

if __name__ == "__main__":
    configure_logs("test")
    run_process(BEHAVIOURS[sys.argv[1]])
