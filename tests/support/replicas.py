"""A private primary with a streaming replica: to pause its replay, promote it and kill it."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from deploy.native import daemons, discover, ports, postgres
from deploy.native.accounts import Quarters, new_quarters
from deploy.native.daemons import Daemon
from deploy.native.instance import Instance, State
from deploy.native.waiting import wait_until

STARTING_S = 30.0


class Pair:
    """Two servers of one cluster; the superuser of both is ``postgres``."""

    def __init__(self, folder: Path, programs: Path) -> None:
        self._instance = Instance(folder / "primary")
        self._programs = programs
        self._state = State()
        self._folder = folder
        self._quarters: Quarters | None = None
        self._replica: Daemon | None = None
        self._replica_port = ports.free_port(avoid=set())

    def start(self) -> None:
        """Have the primary running, with the roles and databases of the services."""
        self._instance.write(self._state)
        postgres.start(self._instance, self._state, self._programs)
        postgres.create_databases(self._state, self._programs)

    def primary_url(self, service: str = "postgres") -> str:
        """Return the URL of a service's database, of the superuser's without one."""
        return self._url(self._state.port("postgres"), service)

    def replica_url(self, service: str = "postgres") -> str:
        """Return the URL of the same database at the replica."""
        return self._url(self._replica_port, service)

    def renew_replica(self) -> None:
        """Have a new replica running that follows the primary."""
        self.kill_replica()
        quarters = new_quarters(self._folder / "replica")
        shutil.rmtree(quarters.data, ignore_errors=True)
        self._quarters = quarters
        taken = [
            *quarters.prefix,
            str(self._programs / "pg_basebackup"),
            *("-d", self.primary_url(), "-D", str(quarters.data)),
            *("--write-recovery-conf", "--checkpoint=fast", "--no-sync"),
        ]
        subprocess.run(taken, check=True, capture_output=True, cwd="/", env=_environ())
        self.start_replica()

    def start_replica(self) -> None:
        """Start the replica that there is, and return when it answers."""
        assert self._quarters is not None
        command = [
            *self._quarters.prefix,
            str(self._programs / "postgres"),
            *("-D", str(self._quarters.data), "-p", str(self._replica_port)),
            *("-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="),
        ]
        log = self._folder / "replica.log"
        self._replica = daemons.launch(command, log=log, environ=_environ(), cwd=Path("/"))
        ready = [str(self._programs / "pg_isready"), "-q", "-d", self.replica_url()]
        wait_until(
            lambda: subprocess.run(ready, check=False, env=_environ()).returncode == 0,
            timeout_s=STARTING_S,
        )

    def kill_replica(self) -> None:
        """End the replica at once, in the middle of whatever it does."""
        daemons.stop(self._replica, by=signal.SIGQUIT, timeout_s=10.0)

    @contextmanager
    def frozen(self, children: Sequence[int]) -> Iterator[None]:
        """Have the replica and these processes of it do nothing meanwhile, and close nothing."""
        assert self._replica is not None
        pids = [self._replica.pid, *children]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def stop(self) -> None:
        """End both servers and forget their data."""
        self.kill_replica()
        postgres.stop(self._state, gently=False)
        for home in (Path(self._state.postgres_home), self._quarters and self._quarters.home):
            shutil.rmtree(home or self._folder, ignore_errors=True)

    def _url(self, port: int, service: str) -> str:
        role = service if service == "postgres" else f"jubilee_{service}"
        return f"postgresql://{role}:{self._state.secret(service)}@127.0.0.1:{port}/{role}"


@contextmanager
def a_pair(folder: Path) -> Iterator[Pair | None]:
    """Yield a primary and its replica; None where PostgreSQL's programs are not installed."""
    programs = discover.find_postgres()
    if programs is None:
        yield None
        return
    pair = Pair(folder, programs)
    try:
        pair.start()
        pair.renew_replica()
        yield pair
    finally:
        pair.stop()


def _environ() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
