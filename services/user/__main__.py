"""``python -m services.user [role ...]``: no role means all of them in one process."""

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from libs.runtime.process import MISTAKEN, run_process
from libs.settings import help_text, read_settings
from libs.telemetry.logs import configure_logs
from libs.telemetry.tracing import configure_tracing, shutdown_tracing
from services.user import wiring
from services.user.settings import UserSettings

PREFIX = "USER"

USAGE = f"""usage: python -m services.user [role ...]
       python -m services.user migrate

Keeps people: from registration to erasure.

roles (none: all of them in one process)
  api      serves the HTTP API
  relay    publishes events from the outbox, keeps its tables
Every process serves /health/live, /health/ready and /metrics.

settings, read from the environment
{help_text(UserSettings, PREFIX)}
"""


def main(arguments: Sequence[str]) -> NoReturn:
    """Do what the command line says and leave with its exit status."""
    if {"-h", "--help"} & set(arguments):
        sys.stdout.write(USAGE)
        sys.exit(0)
    unknown = [name for name in arguments if name not in wiring.ROLES]
    if unknown and list(arguments) != ["migrate"]:
        known = ", ".join([*wiring.ROLES, "migrate"])
        sys.stderr.write(f"unknown role: {', '.join(unknown)}; known are {known}\n")
        sys.exit(MISTAKEN)
    configure_logs(wiring.NAME)
    run_process(lambda: _work(arguments))


async def _work(arguments: Sequence[str]) -> None:
    settings = read_settings(UserSettings, PREFIX, os.environ)
    if list(arguments) == ["migrate"]:
        await wiring.migrate(settings)
        return
    configure_tracing(wiring.NAME)
    try:
        await wiring.run(settings, frozenset(arguments or wiring.ROLES))
    finally:
        shutdown_tracing()


if __name__ == "__main__":
    main(sys.argv[1:])
