import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench.family import Running, all_running, family_of, find_listener

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="this system shows no processes in /proc"
)


def a_process(pid: int, *, parent: int) -> Running:
    return Running(pid, parent, f"command {pid}", "0", 0, 0)


def test_a_family_is_a_process_and_all_below_it() -> None:
    running = {
        one.pid: one
        for one in (
            a_process(1, parent=0),
            a_process(2, parent=1),
            a_process(3, parent=2),
            a_process(4, parent=1),
        )
    }
    assert [one.pid for one in family_of(2, running)] == [2, 3]


def test_a_process_that_is_gone_has_no_family() -> None:
    assert family_of(9, {}) == []


def test_a_child_is_found_below_this_process() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        assert child.pid in {one.pid for one in family_of(os.getpid(), all_running())}
        child.communicate(b"\n")


def test_whoever_listens_on_a_port_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert find_listener(server.getsockname()[1]) == os.getpid()


def test_a_port_that_nobody_listens_on_belongs_to_nobody() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert find_listener(port) is None
