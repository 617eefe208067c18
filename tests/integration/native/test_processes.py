"""The supervisor, with real processes."""

import asyncio
import json
import os
import signal
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.native import daemons
from deploy.native.processes import (
    Process,
    ProcessDiedError,
    System,
    free_port,
    stop_leftovers,
)

ANSWERING = "tests.integration.native.answering"


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with System(tmp_path, os.environ) as system:
        yield system


async def _start(system: System, *, restart: bool = False, answer: str = "") -> Process:
    port = free_port()
    env = {"PORT": str(port), "ANSWER": answer}
    return await system.start("one", ANSWERING, env=env, port=port, restart=restart)


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - our own process
        text: str = answer.read().decode()
    return text


async def test_a_ready_process_answers_with_its_own_environment(system: System) -> None:
    process = await _start(system, answer="hello")
    await system.ready()
    assert await asyncio.to_thread(_get, system.url("one")) == "hello"
    assert "one line of log" in process.log.read_text()


async def test_a_killed_process_stays_dead_and_tells_its_signal(system: System) -> None:
    await _start(system)
    await system.ready()
    system.kill("one")
    assert await system.wait("one") == -signal.SIGKILL
    assert not system.is_running("one")


async def test_a_killed_process_can_be_started_again_by_its_name(system: System) -> None:
    await _start(system)
    system.kill("one")
    await system.wait("one")
    process = await _start(system)
    await system.ready()
    assert process.exits == [-signal.SIGKILL]


async def test_a_name_in_use_is_refused(system: System) -> None:
    await _start(system)
    with pytest.raises(ValueError, match="one runs already"):
        await _start(system)


@pytest.mark.edge_case("EC-PF-007")
async def test_a_process_to_be_restarted_comes_back_after_a_kill(system: System) -> None:
    process = await _start(system, restart=True)
    await system.ready()
    assert process.running is not None
    system.kill("one")
    await process.running.wait()
    await system.ready()
    assert process.exits == [-signal.SIGKILL]


async def test_a_stopped_process_is_not_restarted(system: System) -> None:
    await _start(system, restart=True)
    await system.ready()
    assert await system.stop("one") == -signal.SIGTERM
    assert not system.is_running("one")


async def test_a_process_that_dies_before_it_is_ready_shows_the_end_of_its_log(
    system: System,
) -> None:
    await system.start("one", ANSWERING, ("fail",), port=free_port())
    with pytest.raises(ProcessDiedError, match=r"(?s)status 3.*one line of log"):
        await system.ready()


async def test_a_command_that_fails_is_an_error(system: System) -> None:
    with pytest.raises(ProcessDiedError, match="status 3"):
        await system.run(ANSWERING, "fail")


async def test_leaving_the_block_stops_every_process(tmp_path: Path) -> None:
    async with System(tmp_path, os.environ) as system:
        process = await _start(system)
        assert process.pid is not None
        daemon = daemons.find_daemon(process.pid)
    assert not daemons.is_alive(daemon)
    assert list((tmp_path / "processes").iterdir()) == []


async def test_what_a_killed_supervisor_left_is_stopped_later(tmp_path: Path) -> None:
    daemon = daemons.launch(["sleep", "60"], log=tmp_path / "log", environ=os.environ, cwd=tmp_path)
    note = tmp_path / "one.json"
    note.write_text(json.dumps({"pid": daemon.pid, "started": daemon.started}))
    await asyncio.to_thread(stop_leftovers, tmp_path)
    assert not daemons.is_alive(daemon)
    assert not note.exists()
