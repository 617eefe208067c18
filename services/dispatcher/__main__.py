"""``python -m services.dispatcher [role ...]``: runs the dispatcher; no role means all of them."""

import os
import sys
from collections.abc import Mapping, Sequence
from functools import partial
from typing import NoReturn

from libs.runtime.process import MISTAKEN, run_process
from libs.settings import help_text, read_settings
from libs.telemetry.logs import configure_logs
from libs.telemetry.tracing import configure_tracing, shutdown_tracing
from services.dispatcher import wiring
from services.dispatcher.settings import DispatcherSettings

PREFIX = "DISPATCHER"
COMMANDS = ("migrate", "rebuild")

USAGE = f"""usage: python -m services.dispatcher [role ...]
       python -m services.dispatcher migrate
       python -m services.dispatcher rebuild

Delivers what the planner asks for, and records what became of it.

roles (none: all of them in one process)
  api       serves the HTTP API
  contacts  takes in what is new about people, and what operators hold back
  deliver   claims requests, calls the provider, records outcomes
  settle    finds out what became of mails of unknown fate
  relay     publishes outcomes
  upkeep    keeps partitions ahead and what the broker gave up
rebuild reads all events of the user service and mends the contacts by them, while everything is at
work; interrupted, it goes on where it was.
Every process serves /health/live, /health/ready and /metrics.

settings, read from the environment
{help_text(DispatcherSettings, PREFIX)}
"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Run the command and leave with its exit status."""
    if set(arguments) & {"-h", "--help"}:
        sys.stdout.write(USAGE)
        sys.exit(0)
    if unknown := [name for name in arguments if name not in {*wiring.ROLES, *COMMANDS}]:
        known = ", ".join([*wiring.ROLES, *COMMANDS])
        sys.stderr.write(f"unknown role: {', '.join(unknown)}; known are {known}\n")
        sys.exit(MISTAKEN)
    configure_logs("dispatcher")
    for name in COMMANDS:
        if name in arguments:
            run_process(partial(_command, name, environ))
    run_process(lambda: _run(frozenset(arguments) or frozenset(wiring.ROLES), environ))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _command(name: str, environ: Mapping[str, str]) -> None:
    # Not at the top: a process that works holds nothing that only a command needs.
    from services.dispatcher.wiring import commands  # noqa: PLC0415

    settings = read_settings(DispatcherSettings, PREFIX, environ)
    if name == "migrate":
        await commands.migrate(settings)
    else:
        await commands.rebuild(settings, _tell)


async def _run(roles: frozenset[str], environ: Mapping[str, str]) -> None:
    settings = read_settings(DispatcherSettings, PREFIX, environ)
    configure_tracing("dispatcher")
    try:
        await wiring.run(settings, roles)
    finally:
        shutdown_tracing()


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
