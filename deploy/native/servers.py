"""Starting, stopping and forgetting the servers of one instance."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from deploy.native import (
    containers,
    daemons,
    discover,
    environment,
    packages,
    postgres,
    processes,
    rabbitmq,
)
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT, Instance, State

ELSEWHERE = (
    "set JUBILEE_USE_DOCKER=1 with a Docker engine, or give USER_, PLANNER_ and DISPATCHER_ +"
    " DATABASE_URL and BROKER_URL"
)
WAYS_OUT = (
    "install postgresql and rabbitmq-server yourself (macOS: `brew install postgresql@16 rabbitmq`,"
    f" Fedora: `dnf install postgresql-server rabbitmq-server`), or {ELSEWHERE}"
)
MIGRATING_S = 300.0


def up(instance: Instance) -> dict[str, str]:
    """Have servers, databases and environment file ready; return the services' environment.

    Given URLs win, then containers where asked for, then installed programs, then the system's
    package manager. Everything that is ready already is left as it is.
    """
    with instance.locked():
        state = instance.read()
        given = environment.given_urls(os.environ)
        wanted = {"postgres", "rabbitmq"}
        wanted -= {"postgres"} if environment.DATABASE_URLS[0] in given else set()
        wanted -= {"rabbitmq"} if environment.BROKER_URLS[0] in given else set()
        _start(instance, state, wanted, for_tests=False)
        variables = environment.service_environment(instance, state, os.environ)
        environment.write_keys(instance.keys_file, state.secret("api"))
        environment.write_environment(instance, variables)
        _migrate(state, {**os.environ, **variables})
        instance.write(state)
    return variables


def up_for_tests(instance: Instance) -> dict[str, str]:
    """Have bare servers ready and return the tests' environment; given URLs win here, too."""
    with instance.locked():
        state = instance.read()
        wanted = {
            server
            for server, variable in (
                ("postgres", "JUBILEE_TEST_DATABASE_URL"),
                ("rabbitmq", "JUBILEE_TEST_BROKER_URL"),
            )
            if not os.environ.get(variable)
        }
        _start(instance, state, wanted, for_tests=True)
        variables = environment.tests_environment(instance, state, os.environ)
        environment.write_environment(instance, variables)
        instance.write(state)
    return variables


def down(instance: Instance, *, gently: bool = True) -> bool:
    """Stop everything of this instance and return whether anything ran."""
    ran = _end_run(instance)
    with instance.locked():
        state = instance.read()
        state.daemons.pop("run", None)
        ran = ran or bool(state.daemons) or (state.uses_containers and bool(state.completed))
        processes.stop_leftovers(instance.processes)
        if state.uses_containers:
            containers.stop(instance, state, forget=not gently)
        else:
            rabbitmq.stop(state, gently=gently)
            postgres.stop(state, gently=gently)
        if instance.folder.exists() and state != instance.read():
            instance.write(state)
    return ran


def _end_run(instance: Instance) -> bool:
    """Let a `make run` of another terminal drain and end; only a killed one leaves processes.

    Not under the lock, which it takes itself on its way out.
    """
    state = instance.read()
    run = state.daemons.get("run")
    if run is None or run.pid == os.getpid():
        return False
    ran = daemons.is_alive(run)
    daemons.stop(run, by=signal.SIGTERM, timeout_s=70.0)
    return ran


def reset(instance: Instance, *, logs: bool = True) -> None:
    """Stop everything of this instance and delete what it kept; there is no way back."""
    down(instance, gently=False)
    instance.forget(logs=logs)


def are_up(instance: Instance) -> bool:
    """Return whether the servers that this instance started still run."""
    state = instance.read()
    servers = [daemon for name, daemon in state.daemons.items() if name != "run"]
    return bool(servers) and all(daemons.is_alive(daemon) for daemon in servers)


def _start(instance: Instance, state: State, wanted: set[str], *, for_tests: bool) -> None:
    if not wanted:
        return
    instance.write(state)
    if state.uses_containers or containers.asked_for():
        containers.start(instance, state, wanted)
    else:
        _start_programs(instance, state, wanted, for_tests=for_tests)


def _start_programs(instance: Instance, state: State, wanted: set[str], *, for_tests: bool) -> None:
    """Start the broker first: it takes longest, and the databases are made meanwhile."""
    programs = _programs(wanted)
    if "rabbitmq" in wanted:
        _tell_start(state, "rabbitmq", "RabbitMQ")
        rabbitmq.launch(instance, state, programs["rabbitmq"], management=for_tests)
    if "postgres" in wanted:
        _tell_start(state, "postgres", "PostgreSQL")
        postgres.start(instance, state, programs["postgres"])
        _prepare_databases(state, programs["postgres"], for_tests=for_tests)
    if "rabbitmq" in wanted:
        rabbitmq.wait(instance, state)
    instance.write(state)


def _prepare_databases(state: State, programs: Path, *, for_tests: bool) -> None:
    if "databases" in state.completed:
        return
    if for_tests:
        postgres.create_test_role(state, programs)
    else:
        postgres.create_databases(state, programs)
    state.completed.append("databases")


def _programs(wanted: set[str]) -> dict[str, Path]:
    """Return where the programs of each wanted server are, installing what is missing.

    Raises:
        CannotContinueError: something is missing and cannot be installed from here.
    """
    finders: dict[str, tuple[Callable[[], Path | None], str]] = {
        "postgres": (discover.find_postgres, "postgresql"),
        "rabbitmq": (discover.find_rabbitmq, "rabbitmq-server"),
    }
    missing = [finders[server][1] for server in sorted(wanted) if finders[server][0]() is None]
    if missing:
        packages.install(missing, otherwise=ELSEWHERE if shutil.which("apt-get") else WAYS_OUT)
    found = {server: finders[server][0]() for server in wanted}
    programs = {server: folder for server, folder in found.items() if folder is not None}
    if len(programs) < len(wanted):
        absent = ", ".join(sorted(wanted - set(programs)))
        raise CannotContinueError(f"{absent} is not where I look for it: {WAYS_OUT}")
    return programs


def _tell_start(state: State, name: str, title: str) -> None:
    if not daemons.is_alive(state.daemons.get(name)):
        print(f"jubilee: starting {title}", file=sys.stderr, flush=True)


def _migrate(state: State, environ: Mapping[str, str]) -> None:
    """Let each service migrate its database, unless nothing changed since the last time."""
    fingerprint = _migrations_fingerprint(environ)
    if state.migrated == fingerprint:
        return
    for service in environment.SERVICES:
        if not (ROOT / "services" / service / "__main__.py").exists():
            continue
        done = subprocess.run(
            [sys.executable, "-m", f"services.{service}", "migrate"],
            cwd=ROOT,
            env=dict(environ),
            timeout=MIGRATING_S,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            told = "\n  ".join((done.stdout + done.stderr).strip().splitlines()[-5:])
            raise CannotContinueError(f"`services.{service} migrate` failed:\n  {told}")
    state.migrated = fingerprint


def _migrations_fingerprint(environ: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for name in environment.DATABASE_URLS:
        digest.update(environ[name].encode())
    for folder in ("libs", "services"):
        for file in sorted((ROOT / folder).rglob("migrations/*.sql")):
            digest.update(str(file.relative_to(ROOT)).encode() + file.read_bytes())
    return digest.hexdigest()[:16]
