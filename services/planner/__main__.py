"""``python -m services.planner [role ...]``: no role means all of them in one process."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from libs.runtime.process import MISTAKEN, run_process
from libs.settings import help_text, read_settings
from libs.telemetry.logs import configure_logs
from libs.telemetry.tracing import configure_tracing, shutdown_tracing
from services.planner import wiring
from services.planner.entrypoints.tzdata_command import COMMAND, Wanted, parse
from services.planner.settings import PlannerSettings

PREFIX = "PLANNER"
COMMANDS = (["migrate"], ["rebuild"])

USAGE = f"""usage: python -m services.planner [role ...]
       python -m services.planner migrate
       python -m services.planner rebuild
       python -m services.planner tzdata [--help]

Knows what is owed to whom and when, and asks for it when due.

roles (none: all of them in one process)
  api        serves the HTTP API
  project    takes in what is new about people
  plan       opens the days ahead and plans them
  release    requests what is due from the dispatcher
  outcomes   records what the dispatcher answers
  reconcile  asks again where nobody answers
  relay      publishes pauses, cancellations and closed days
  upkeep     keeps partitions ahead, closes days, forgets what is old
rebuild reads all events of the user service and mends what is known of people by them, while
everything is at work; interrupted, it goes on where it was.
Every process serves /health/live, /health/ready and /metrics.

settings, read from the environment
{help_text(PlannerSettings, PREFIX)}
"""


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> NoReturn:
    """Do what the command line says and leave with its exit status."""
    if list(arguments[:1]) == [COMMAND]:
        wanted = parse(arguments[1:])
        configure_logs(wiring.NAME)
        run_process(lambda: _change_zone_data(wanted, environ))
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        sys.exit(0)
    unknown = [name for name in arguments if name not in wiring.ROLES]
    if unknown and list(arguments) not in COMMANDS:
        known = ", ".join([*wiring.ROLES, *(name for [name] in COMMANDS)])
        sys.stderr.write(f"unknown role: {', '.join(unknown)}; known are {known}\n")
        sys.exit(MISTAKEN)
    configure_logs(wiring.NAME)
    if list(arguments) in COMMANDS:
        run_process(lambda: _command(arguments[0], environ))
    run_process(lambda: _work(frozenset(arguments or wiring.ROLES), environ))


async def _change_zone_data(wanted: Wanted, environ: Mapping[str, str]) -> None:
    from services.planner.wiring import commands  # noqa: PLC0415

    settings = read_settings(PlannerSettings, PREFIX, environ)
    for line in await commands.change_zone_data(settings, wanted):
        sys.stdout.write(f"{line}\n")


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _command(name: str, environ: Mapping[str, str]) -> None:
    # Not at the top: a process that works holds nothing that only a command needs.
    from services.planner.wiring import commands  # noqa: PLC0415

    settings = read_settings(PlannerSettings, PREFIX, environ)
    if name == "migrate":
        await commands.migrate(settings)
    else:
        await commands.rebuild(settings, _tell)


async def _work(roles: frozenset[str], environ: Mapping[str, str]) -> None:
    settings = read_settings(PlannerSettings, PREFIX, environ)
    configure_tracing(wiring.NAME)
    try:
        await wiring.run(settings, roles)
    finally:
        shutdown_tracing()


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
