import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from urllib.request import urlopen

import pytest

Process = asyncio.subprocess.Process


@asynccontextmanager
async def started(*arguments: str, **environ: str) -> AsyncIterator[Process]:
    variables: Mapping[str, str] = {**os.environ, **environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.edge.a_process", *arguments),
        env=variables,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def word(process: Process) -> str:
    assert process.stdout is not None
    return (await asyncio.wait_for(process.stdout.readline(), 30)).decode().strip()


async def ended(process: Process) -> tuple[int | None, str, str]:
    out, err = await asyncio.wait_for(process.communicate(), 30)
    return process.returncode, out.decode(), err.decode()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.edge_case("EC-W-003")
async def test_a_signal_lets_a_process_finish_what_it_took_and_no_more(number: int) -> None:
    async with started("serve") as process:
        await word(process)
        assert await word(process) == "taken"
        process.send_signal(number)
        status, out, _ = await ended(process)
    assert (status, out.split()) == (0, ["finished", "drained"])


async def test_a_second_signal_ends_a_process_at_once() -> None:
    async with started("hang") as process:
        assert await word(process) == "taken"
        process.terminate()
        assert process.stderr is not None
        assert b"process.stopping" in await asyncio.wait_for(process.stderr.readline(), 30)
        process.terminate()
        status, _, _ = await ended(process)
    assert status == 1


async def test_work_that_does_not_end_in_time_is_cut_off_and_told() -> None:
    async with started("hang", "short") as process:
        assert await word(process) == "taken"
        process.terminate()
        status, _, err = await ended(process)
    last = json.loads(err.splitlines()[-1])
    assert (status, last["event"], last["at_work"]) == (1, "process.cut_off", ["work"])


async def test_a_signal_during_the_start_ends_a_process_quietly() -> None:
    async with started("start_slowly") as process:
        assert await word(process) == "connecting"
        process.terminate()
        status, _, err = await ended(process)
    assert status == 0
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("behaviour", "environ", "text"),
    [
        ("refuse", {}, "3 migrations are pending"),
        ("serve", {"APP_HTTP_PORT": "many"}, "APP_HTTP_PORT is not usable: give a whole number"),
        ("serve", {"APP_COLOUR": "red"}, "APP_COLOUR is not a setting"),
    ],
    ids=["refusal", "bad setting", "unknown setting"],
)
@pytest.mark.edge_case("EC-W-005")
async def test_a_wrong_start_is_told_in_plain_text(
    behaviour: str, environ: dict[str, str], text: str
) -> None:
    async with started(behaviour, **environ) as process:
        status, _, err = await ended(process)
    assert status == 2
    assert text in err
    assert "Traceback" not in err


async def test_a_taken_port_is_a_wrong_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        async with started("serve", APP_HTTP_PORT=port) as process:
            status, _, err = await ended(process)
    assert (status, f"cannot listen on 127.0.0.1:{port}" in err) == (2, True)


async def test_an_unforeseen_error_is_one_line_without_personal_data() -> None:
    async with started("fail") as process:
        status, _, err = await ended(process)
    line = json.loads(err)
    assert (status, line["event"], line["error"]["message"]) == (
        1,
        "process.failed",
        "cannot greet ***",
    )


async def test_a_process_answers_while_its_loops_work() -> None:
    async with started("serve") as process:
        port = await word(process)
        answer = await asyncio.to_thread(_get, f"http://127.0.0.1:{port}/health/ready")
    assert json.loads(answer) == {"status": "ok", "checks": {}}


def _get(url: str) -> bytes:
    with urlopen(url, timeout=10) as response:  # noqa: S310 - our own server
        body: bytes = response.read()
        return body
