"""A private PostgreSQL: created once, started, stopped, with one database per service."""

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

from deploy.native import daemons, ports
from deploy.native.accounts import Quarters, new_quarters, settled_quarters
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT, Instance, State, write_private
from deploy.native.waiting import wait_until

SETTINGS = ROOT / "deploy" / "postgres" / "postgresql.conf"
SERVICE_SQL = ROOT / "deploy" / "postgres" / "service.sql"
TESTS_SQL = ROOT / "deploy" / "postgres" / "tests.sql"
SERVICES = ("user", "planner", "dispatcher")
STARTING_S = 60.0
STOPPING_S = 30.0


def start(instance: Instance, state: State, programs: Path) -> None:
    """Have the server of this instance running and its databases made.

    May be called at any time: what an earlier call finished is kept, what it left half done is
    begun again.
    """
    log = instance.logs / "postgres.log"
    if _comes_to_answer(state, programs):
        return
    quarters = _prepare(instance, state, programs)
    _forget_dead_server(quarters.data)
    if not ports.is_free(state.port("postgres")):
        del state.ports["postgres"]
    listening = ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="]
    command = [
        str(programs / "postgres"),
        "-D",
        str(quarters.data),
        "-p",
        str(state.port("postgres")),
    ]
    with daemons.undisturbed():
        state.daemons["postgres"] = daemons.launch(
            [*quarters.prefix, *command, *listening], log=log, environ=_environ(), cwd=Path("/")
        )
        instance.write(state)
    if not _comes_to_answer(state, programs):
        raise CannotContinueError(
            f"PostgreSQL did not start; see {log}, which ends\n{daemons.last_lines(log)}"
        )


def create_databases(state: State, programs: Path) -> None:
    """Give every service its role and the database that it owns; repeatable."""
    for service in SERVICES:
        variables = {
            "JUBILEE_ROLE": f"jubilee_{service}",
            "JUBILEE_ROLE_PASSWORD": state.secret(service),
        }
        _psql(state, programs, "-f", str(SERVICE_SQL), environ=variables)


def create_test_role(state: State, programs: Path) -> None:
    """Give the tests a role that makes databases and roles of its own; repeatable."""
    _psql(
        state,
        programs,
        "-f",
        str(TESTS_SQL),
        environ={"JUBILEE_ROLE_PASSWORD": state.secret("test")},
    )


def stop(state: State, *, gently: bool) -> None:
    """Return once the server is gone; not gently only where its data are not wanted any more."""
    by = signal.SIGINT if gently else signal.SIGQUIT
    daemons.stop(state.daemons.pop("postgres", None), by=by, timeout_s=STOPPING_S)


def service_url(state: State, service: str) -> str:
    """Return the URL with which ``service`` reaches its own database."""
    name = f"jubilee_{service}"
    return f"postgresql://{name}:{state.secret(service)}@127.0.0.1:{state.port('postgres')}/{name}"


def tests_url(state: State) -> str:
    """Return the URL with which tests make databases of their own."""
    login = f"jubilee_test:{state.secret('test')}"
    return f"postgresql://{login}@127.0.0.1:{state.port('postgres')}/postgres"


def _prepare(instance: Instance, state: State, programs: Path) -> Quarters:
    """Return the quarters of the server, its data folder made if no earlier call finished it."""
    if "initdb" in state.completed:
        quarters = settled_quarters(Path(state.postgres_home))
        _refuse_foreign_version(quarters.data, programs)
        return quarters
    quarters = new_quarters(instance.folder / "postgres")
    state.postgres_home = str(quarters.home)
    instance.write(state)
    _initialise(quarters, state, programs)
    state.completed.append("initdb")
    instance.write(state)
    return quarters


def _initialise(quarters: Quarters, state: State, programs: Path) -> None:
    _empty(quarters.home)
    owner = quarters.home.stat()
    password = quarters.home / "password"
    write_private(password, state.secret("postgres") + "\n")
    os.chown(password, owner.st_uid, owner.st_gid)
    answer = subprocess.run(
        [
            *quarters.prefix,
            *(str(programs / "initdb"), "-D", str(quarters.data), "-U", "postgres"),
            *("--auth=scram-sha-256", f"--pwfile={password}", "--no-sync", "--data-checksums"),
            *("--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"),
        ],
        env=_environ(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    password.unlink()
    if answer.returncode != 0:
        reason = (answer.stdout + answer.stderr).strip().splitlines()[-1:] or ["no reason given"]
        raise CannotContinueError(f"initdb failed in {quarters.data}: {reason[0]}")
    with (quarters.data / "postgresql.conf").open("a") as conf:
        conf.write(SETTINGS.read_text())


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuse_foreign_version(data: Path, programs: Path) -> None:
    made_by = (data / "PG_VERSION").read_text().strip()
    told = subprocess.run(
        [str(programs / "postgres"), "--version"], capture_output=True, text=True, check=True
    ).stdout
    if f" {made_by}." not in told:
        raise CannotContinueError(
            f"{data} was made by PostgreSQL {made_by} and the one installed now is"
            f" {told.split()[-1]}: install {made_by} again, or `make reset` and begin anew"
        )


def _forget_dead_server(data: Path) -> None:
    """Remove the lock file of a server that died, unless that server still runs after all.

    PostgreSQL itself only looks whether the id in it is in use, by whomever.
    """
    lock = data / "postmaster.pid"
    if not lock.exists():
        return
    pid = lock.read_text().split()[0]
    working_folder = Path(f"/proc/{pid}/cwd")
    if working_folder.exists() and working_folder.resolve() == data.resolve():
        daemons.stop(daemons.find_daemon(int(pid)), by=signal.SIGINT, timeout_s=STOPPING_S)
    lock.unlink(missing_ok=True)


def _comes_to_answer(state: State, programs: Path) -> bool:
    """Return whether the server runs and, if need be after a while, can be used."""
    daemon = state.daemons.get("postgres")
    wait_until(
        lambda: not daemons.is_alive(daemon) or _answers(state, programs), timeout_s=STARTING_S
    )
    return daemons.is_alive(daemon) and _answers(state, programs)


def _answers(state: State, programs: Path) -> bool:
    if not ports.answers(state.port("postgres")):
        return False
    try:
        _psql(state, programs, "-c", "SELECT 1", environ={})
    except CannotContinueError:
        return False
    return True


def _psql(state: State, programs: Path, *arguments: str, environ: Mapping[str, str]) -> None:
    login = {"PGPASSWORD": state.secret("postgres"), "PGCONNECT_TIMEOUT": "5"}
    server = ["-h", "127.0.0.1", "-p", str(state.port("postgres")), "-U", "postgres"]
    done = subprocess.run(
        [str(programs / "psql"), "-X", "-q", *server, "-v", "ON_ERROR_STOP=1", *arguments],
        env={**_environ(), **login, **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        reason = done.stderr.strip().splitlines()[:1] or ["no reason given"]
        raise CannotContinueError(f"preparing the databases failed: {reason[0]}")


def _environ() -> dict[str, str]:
    """Return an environment without the caller's own PG* variables and language."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
