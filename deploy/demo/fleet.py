"""Which processes the demo runs, and with what they are told to be quicker than usual."""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import NamedTuple

from deploy.native.processes import System, free_port


class Part(NamedTuple):
    """One process of the fleet."""

    name: str
    module: str
    roles: tuple[str, ...] = ()


_DISPATCHING = ("contacts", "deliver", "settle", "upkeep")
INBOX = Part("inbox", "deploy.demo.inbox")
FLEET = (
    Part("user", "services.user", ("api",)),
    Part("user-relay", "services.user", ("relay",)),
    Part("planner", "services.planner"),
    Part("dispatcher-1", "services.dispatcher", _DISPATCHING),
    Part("dispatcher-2", "services.dispatcher", _DISPATCHING),
    Part("dispatcher-relay", "services.dispatcher", ("relay",)),
)
IMPORT_RELAY = "user-relay"
"""Killed while the import's events flow."""

SHORT_LEASES = {
    "DISPATCHER_PROVIDER_TIMEOUT_S": "1.5",
    "DISPATCHER_LEASE_S": "3",
    "DISPATCHER_LOOKUP_DELAY_S": "0.5",
    "DISPATCHER_SETTLE_EVERY_S": "0.5",
    "DISPATCHER_BREAKER_PAUSE_S": "2",
    "PLANNER_RECONCILE_AFTER_S": "4",
}
"""Waits that are minutes in earnest, so that the demo sees their ends."""


class Ports(NamedTuple):
    """Where the inbox listens, the same over its restarts."""

    smtp: int
    http: int


def choose_ports() -> Ports:
    """Return two free ports."""
    return Ports(free_port(), free_port())


def fleet_env(env: Mapping[str, str], *, clock: str, ports: Ports, ledger: Path) -> dict[str, str]:
    """Return the environment of every process, with the mail going to the demo's inbox."""
    inbox = f"http://127.0.0.1:{ports.http}"
    return {
        **env,
        **SHORT_LEASES,
        "JUBILEE_CLOCK": clock,
        "INBOX_SMTP_PORT": str(ports.smtp),
        "INBOX_HTTP_PORT": str(ports.http),
        "INBOX_LEDGER": str(ledger),
        "DISPATCHER_PROVIDER": "smtp",
        "DISPATCHER_PROVIDER_URL": f"smtp://127.0.0.1:{ports.smtp}?lookup={inbox}/api/messages",
    }


@contextlib.asynccontextmanager
async def running_fleet(folder: Path, env: Mapping[str, str]) -> AsyncIterator[System]:
    """Yield the running fleet once every process is ready; leaving stops all of it.

    Raises:
        ProcessDiedError: a process ended instead of getting ready.
        TimeoutError: a process did not get ready.
    """
    async with System(folder, env) as system:
        await system.start(INBOX.name, INBOX.module, port=int(env["INBOX_HTTP_PORT"]))
        for part in FLEET:
            await system.start(part.name, part.module, part.roles)
        await system.ready()
        yield system


async def start_again(system: System, name: str) -> None:
    """Start a process that was killed and return once it is ready.

    Raises:
        ProcessDiedError: it ended instead.
        TimeoutError: it did not get ready.
    """
    await system.wait(name)
    part = next(part for part in FLEET if part.name == name)
    await system.start(part.name, part.module, part.roles)
    await system.ready(name)
