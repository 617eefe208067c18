"""``python -m services.dispatcher [role ...]``: runs the dispatcher; no role means all of them."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from libs.runtime.process import MISTAKEN, run_process
from libs.settings import help_text, read_settings
from libs.telemetry.logs import configure_logs
from libs.telemetry.tracing import configure_tracing, shutdown_tracing
from services.dispatcher import wiring
from services.dispatcher.settings import DispatcherSettings

PREFIX = "DISPATCHER"

USAGE = f"""usage: python -m services.dispatcher [role ...]
       python -m services.dispatcher migrate

Delivers what the planner asks for, and records what became of it.

roles (none: all of them in one process)
  api       serves the HTTP API
  contacts  takes in what is new about people, and what operators hold back
  deliver   claims requests, calls the provider, records outcomes
  settle    finds out what became of mails of unknown fate
  relay     publishes outcomes
  upkeep    keeps partitions ahead and what the broker gave up
Every process serves /health/live, /health/ready and /metrics.

settings, read from the environment
{help_text(DispatcherSettings, PREFIX)}
"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Run the command and leave with its exit status."""
    if set(arguments) & {"-h", "--help"}:
        sys.stdout.write(USAGE)
        sys.exit(0)
    if unknown := [name for name in arguments if name not in {*wiring.ROLES, "migrate"}]:
        known = ", ".join([*wiring.ROLES, "migrate"])
        sys.stderr.write(f"unknown role: {', '.join(unknown)}; known are {known}\n")
        sys.exit(MISTAKEN)
    configure_logs("dispatcher")
    if "migrate" in arguments:
        run_process(lambda: wiring.migrate(read_settings(DispatcherSettings, PREFIX, environ)))
    run_process(lambda: _run(frozenset(arguments) or frozenset(wiring.ROLES), environ))


async def _run(roles: frozenset[str], environ: Mapping[str, str]) -> None:
    settings = read_settings(DispatcherSettings, PREFIX, environ)
    configure_tracing("dispatcher")
    try:
        await wiring.run(settings, roles)
    finally:
        shutdown_tracing()


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
