"""Processes that outlive the command that started them."""

import os
import signal
from pathlib import Path

import pytest

from deploy.native import daemons
from deploy.native.daemons import Daemon
from deploy.native.errors import CannotContinueError


def _launch(tmp_path: Path, *command: str) -> Daemon:
    return daemons.launch(command, log=tmp_path / "log", environ=os.environ, cwd=tmp_path)


def test_a_launched_process_lives_until_it_is_stopped(tmp_path: Path) -> None:
    daemon = _launch(tmp_path, "sleep", "60")
    assert daemons.is_alive(daemon)
    daemons.stop(daemon, by=signal.SIGTERM, timeout_s=5.0)
    assert not daemons.is_alive(daemon)


def test_a_process_that_ignores_the_signal_is_killed(tmp_path: Path) -> None:
    daemon = _launch(tmp_path, "sh", "-c", "trap '' TERM; while :; do sleep 0.1; done")
    daemons.stop(daemon, by=signal.SIGTERM, timeout_s=0.2)
    assert not daemons.is_alive(daemon)


def test_another_process_with_the_same_id_is_left_alone() -> None:
    stranger = Daemon(os.getpid(), "another moment")
    assert not daemons.is_alive(stranger)
    daemons.stop(stranger, by=signal.SIGKILL, timeout_s=0.1)


def test_a_program_that_is_not_there_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(CannotContinueError, match="/no/such/program could not be started"):
        _launch(tmp_path, "/no/such/program")
