"""The same two servers in containers, where a Docker engine is asked for."""

import hashlib
import os
import subprocess

from deploy.native import ports
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT, Instance, State

COMPOSE_FILE = ROOT / "docker-compose.yml"
STARTING_S = 300.0


def asked_for() -> bool:
    """Return whether the environment asks for a Docker engine."""
    return os.environ.get("JUBILEE_USE_DOCKER", "") not in {"", "0"}


def start(instance: Instance, state: State, servers: set[str]) -> None:
    """Have ``servers`` of the compose file running and healthy; a no-op where they are."""
    if not state.uses_containers:
        for name in (*servers, "management"):
            if not ports.is_free(state.port(name)):
                del state.ports[name]
        _compose(instance, state, "ps")  # refused here, before anything is noted, without an engine
    state.uses_containers = True
    instance.write(state)
    _compose(instance, state, "up", "--detach", "--wait", *sorted(servers))
    state.completed = sorted({*state.completed, *servers})


def stop(instance: Instance, state: State, *, forget: bool) -> None:
    """Stop the containers; forgetting removes them with their volumes."""
    if forget:
        _compose(instance, state, "down", "--volumes", "--timeout", "30")
    else:
        _compose(instance, state, "stop", "--timeout", "30")


def _compose(instance: Instance, state: State, *arguments: str) -> None:
    project = "jubilee-" + hashlib.sha256(str(instance.folder).encode()).hexdigest()[:8]
    command = ["docker", "compose", "-p", project, "-f", str(COMPOSE_FILE), *arguments]
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **_variables(state)},
            timeout=STARTING_S,
            capture_output=True,
            text=True,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _refusal(str(error)) from None
    if done.returncode != 0:
        raise _refusal((done.stderr.strip().splitlines() or ["no reason given"])[0])


def _variables(state: State) -> dict[str, str]:
    return {
        "JUBILEE_POSTGRES_PORT": str(state.port("postgres")),
        "JUBILEE_RABBITMQ_PORT": str(state.port("rabbitmq")),
        "JUBILEE_MANAGEMENT_PORT": str(state.port("management")),
        "JUBILEE_POSTGRES_PASSWORD": state.secret("postgres"),
        "JUBILEE_USER_PASSWORD": state.secret("user"),
        "JUBILEE_PLANNER_PASSWORD": state.secret("planner"),
        "JUBILEE_DISPATCHER_PASSWORD": state.secret("dispatcher"),
        "JUBILEE_TEST_PASSWORD": state.secret("test"),
        "JUBILEE_RABBITMQ_PASSWORD": state.secret("rabbitmq"),
    }


def _refusal(reason: str) -> CannotContinueError:
    return CannotContinueError(
        f"JUBILEE_USE_DOCKER is set, but `docker compose` cannot start the servers ({reason}); "
        "start the engine, or unset it to use installed or packaged servers"
    )
