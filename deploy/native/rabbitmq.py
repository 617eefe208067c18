"""A private RabbitMQ node with a name service, cookie, login and ports of its own."""

import contextlib
import os
import secrets
import shutil
import signal
import subprocess
from pathlib import Path

from deploy.native import daemons, ports
from deploy.native.errors import CannotContinueError
from deploy.native.instance import ROOT, Instance, State, write_private
from deploy.native.waiting import wait_until

SETTINGS = ROOT / "deploy" / "rabbitmq" / "rabbitmq.conf"
USER = VHOST = "jubilee"
NODE = "jubilee@localhost"
STARTING_S = 180.0
STOPPING_S = 60.0
PORTS = ("rabbitmq", "epmd", "distribution", "management")


def launch(instance: Instance, state: State, programs: Path, *, management: bool) -> None:
    """Begin to start the node and return at once; ``wait`` tells when it can be used."""
    if daemons.is_alive(state.daemons.get("rabbitmq")):
        return
    home = instance.folder / "rabbitmq"
    if "rabbitmq" not in state.completed:
        shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    _stop_name_service(state)
    for name in PORTS:
        if not ports.is_free(state.port(name)):
            del state.ports[name]
    instance.write(state)
    _write_settings(home, state, management=management)
    with daemons.undisturbed():
        state.daemons["rabbitmq"] = daemons.launch(
            [str(programs / "rabbitmq-server")],
            log=instance.logs / "rabbitmq.log",
            environ=_environ(home, instance, state),
            cwd=home,
        )
        instance.write(state)


def wait(instance: Instance, state: State) -> None:
    """Return once the node accepts connections.

    Raises:
        CannotContinueError: it ended, or it did not answer within three minutes.
    """
    daemon = state.daemons["rabbitmq"]
    reached = wait_until(
        lambda: not daemons.is_alive(daemon) or ports.answers(state.port("rabbitmq")),
        timeout_s=STARTING_S,
        pause_s=0.1,
        still_waiting=lambda waited_s: print(f"jubilee: RabbitMQ is starting ({waited_s:.0f} s)"),
    )
    if not reached or not daemons.is_alive(daemon):
        log = instance.logs / "rabbitmq.log"
        raise CannotContinueError(
            f"RabbitMQ did not start; see {log}, which ends\n{daemons.last_lines(log)}"
        )
    if "rabbitmq" not in state.completed:
        state.completed.append("rabbitmq")


def stop(state: State, *, gently: bool) -> None:
    """Return once node and name service are gone; not gently only to throw its data away.

    The node stops listening seconds before it ends, so the process is waited for, not the port.
    """
    by = signal.SIGTERM if gently else signal.SIGKILL
    daemons.stop(state.daemons.pop("rabbitmq", None), by=by, timeout_s=STOPPING_S)
    _stop_name_service(state)


def url(state: State) -> str:
    """Return the URL of the broker, its virtual host included."""
    return f"amqp://{USER}:{state.secret('rabbitmq')}@127.0.0.1:{state.port('rabbitmq')}/{VHOST}"


def management_url(state: State) -> str:
    """Return the URL of the management API; its login is that of the broker's URL."""
    return f"http://127.0.0.1:{state.port('management')}/api"


def _write_settings(home: Path, state: State, *, management: bool) -> None:
    lines = [
        f"listeners.tcp.1 = 127.0.0.1:{state.port('rabbitmq')}",
        f"default_user = {USER}",
        f"default_pass = {state.secret('rabbitmq')}",
        f"default_vhost = {VHOST}",
        "default_user_tags.administrator = true",
        "vm_memory_high_watermark.absolute = 1GB",
        "log.console = false",
    ]
    if management:
        lines.append("management.tcp.ip = 127.0.0.1")
        lines.append(f"management.tcp.port = {state.port('management')}")
    write_private(home / "rabbitmq.conf", SETTINGS.read_text() + "\n".join(lines) + "\n")
    plugins = "[rabbitmq_management]." if management else "[]."
    (home / "enabled_plugins").write_text(plugins + "\n")
    (home / "empty").touch()
    cookie = home / ".erlang.cookie"
    if not cookie.exists():
        write_private(cookie, secrets.token_hex(20))
        cookie.chmod(0o400)


def _environ(home: Path, instance: Instance, state: State) -> dict[str, str]:
    """Return everything that steers the node; nothing of the system's or the caller's own."""
    return {
        "PATH": _path(),
        "LANG": "C.UTF-8",
        "HOME": str(home),
        # The scripts then replace themselves by the node: one process id, one signal handler.
        "RUNNING_UNDER_SYSTEMD": "true",
        "RABBITMQ_NODENAME": NODE,
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(instance.logs),
        "RABBITMQ_LOGS": str(instance.logs / "rabbitmq-node.log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(home / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(home / "empty"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_GENERATED_CONFIG_DIR": str(home / "config"),
        "RABBITMQ_SCHEMA_DIR": str(home / "schema"),
        "RABBITMQ_DIST_PORT": str(state.port("distribution")),
        # Without this the distribution port listens on every interface.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
            "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none"
        ),
        "ERL_EPMD_PORT": str(state.port("epmd")),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_CRASH_DUMP": str(instance.logs / "erl_crash.dump"),
    }


def _stop_name_service(state: State) -> None:
    """End the node's own epmd, which outlives the node; nothing where it is gone already."""
    epmd = shutil.which("epmd", path=_path())
    if epmd is None or "epmd" not in state.ports:
        return
    port = state.port("epmd")
    command = [epmd, "-port", str(port), "-kill"]

    def is_gone() -> bool:
        if not ports.answers(port):
            return True
        # It refuses while it takes the node for living, which it does for a moment after a kill;
        # somebody else who has the port by now would not answer the question at all.
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(command, capture_output=True, check=False, timeout=2.0)
        return not ports.answers(port)

    wait_until(is_gone, timeout_s=5.0, pause_s=0.2)


def _path() -> str:
    return os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin:/usr/bin:/bin:/opt/homebrew/bin"
