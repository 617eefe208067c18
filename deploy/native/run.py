"""The whole system in real time, until somebody ends it."""

import asyncio
import os
import signal
from collections.abc import Mapping

from deploy.native import servers
from deploy.native.daemons import find_daemon
from deploy.native.environment import SERVICES
from deploy.native.instance import Instance
from deploy.native.processes import System, free_port

INBOX = "deploy.demo.inbox"


def run_until_stopped(instance: Instance) -> int:
    """Run all services until SIGINT or SIGTERM; servers that ran before go on running.

    Raises:
        CannotContinueError: another `make run` uses the folder, or the servers cannot be had.
        ProcessDiedError: a service could not be started at all.
    """
    with instance.locked("in-use", wait=False):
        ran_before = servers.are_up(instance)
        try:
            variables = servers.up(instance)
            _note(instance, running=True)
            asyncio.run(_serve(instance, {**os.environ, **variables}))
        finally:
            _note(instance, running=False)
            if not ran_before:
                _tell("stopping the servers (their data stay; `make reset` forgets them)")
                servers.down(instance)
    return 0


async def _serve(instance: Instance, environ: dict[str, str]) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopped.set)
    async with System(instance.folder, environ, tell=_tell) as system:
        starting = asyncio.create_task(_start(system, environ))
        ending = asyncio.create_task(stopped.wait())
        await asyncio.wait({starting, ending}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            starting.result()
            _tell_where(instance, system, environ)
            await ending
        starting.cancel()
        _tell("draining")


async def _start(system: System, environ: Mapping[str, str]) -> None:
    settings = {} if environ.get("DISPATCHER_PROVIDER") else await _start_inbox(system)
    for service in SERVICES:
        extra = settings if service == "dispatcher" else {}
        await system.start(service, f"services.{service}", env=extra)
    await system.ready()
    # From here on an end is an accident; before, it is a refusal to be read.
    for process in system.processes.values():
        process.restart = True


async def _start_inbox(system: System) -> dict[str, str]:
    """Start the stand-in inbox and return the settings with which the dispatcher mails to it."""
    smtp = free_port()
    http = free_port(avoid={smtp})
    mail = system.folder / "mail"
    mail.mkdir(exist_ok=True)
    listening = {
        "INBOX_HOST": "127.0.0.1",
        "INBOX_SMTP_PORT": str(smtp),
        "INBOX_HTTP_PORT": str(http),
        "INBOX_LEDGER": str(mail / "inbox.jsonl"),
    }
    await system.start("inbox", INBOX, env=listening, port=http)
    return {
        "DISPATCHER_PROVIDER": "smtp",
        "DISPATCHER_PROVIDER_URL": f"smtp://127.0.0.1:{smtp}?lookup=http://127.0.0.1:{http}/api/messages",
    }


def _tell_where(instance: Instance, system: System, environ: Mapping[str, str]) -> None:
    places = {name: system.url(name) for name in system.processes}
    places |= {f"{service} docs": f"{system.url(service)}/docs" for service in SERVICES}
    places |= {"API key": environ["JUBILEE_API_KEY"], "logs": str(instance.logs)}
    if clock := environ.get("JUBILEE_CLOCK"):
        places["clock"] = clock
    places["variables"] = f". {instance.env_file}"
    lines = [f"  {name:<17}{place}" for name, place in places.items()]
    _tell("\n".join(["running; Ctrl-C ends it", *lines]))


def _note(instance: Instance, *, running: bool) -> None:
    """Keep the id of this process, so that `make down` can end it first."""
    with instance.locked():
        state = instance.read()
        state.daemons.pop("run", None)
        if running:
            state.daemons["run"] = find_daemon(os.getpid())
        if instance.folder.exists():
            instance.write(state)


def _tell(text: str) -> None:
    print(f"jubilee: {text}", flush=True)
