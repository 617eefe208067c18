import asyncio

import pytest

from libs.runtime import health as health_module
from libs.runtime.health import Health
from libs.runtime.stopping import Stopping


async def fine() -> None:
    return None


async def missing() -> str:
    return "no partition for tomorrow"


async def broken() -> None:
    raise ConnectionRefusedError("10.0.0.1 with password")


async def test_ready_when_every_check_passes() -> None:
    health = Health(Stopping())
    health.add("postgres", fine)
    assert (await health.ready()).checks == {"postgres": "ok"}


async def test_every_failing_check_gives_its_reason() -> None:
    health = Health(Stopping())
    for name, check in (("postgres", broken), ("partitions", missing), ("broker", fine)):
        health.add(name, check)
    report = await health.ready()
    assert not report.is_ok
    assert report.checks == {
        "postgres": "failed with ConnectionRefusedError",
        "partitions": "no partition for tomorrow",
        "broker": "ok",
    }


async def test_a_check_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health_module, "CHECK_TIMEOUT_S", 0.01)
    health = Health(Stopping())
    health.add("broker", asyncio.Event().wait)  # type: ignore[arg-type]
    assert (await health.ready()).checks == {"broker": "no answer within 0.01 s"}


async def test_a_draining_process_lives_but_is_not_ready() -> None:
    stopping = Stopping()
    health = Health(stopping)
    stopping.begin("SIGTERM")
    assert (await health.ready()).checks == {"process": "draining"}
    assert (await health.live()).is_ok


async def test_simultaneous_questions_share_one_answer() -> None:
    asked = 0

    async def count() -> None:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0)

    health = Health(Stopping())
    health.add("postgres", count)
    await asyncio.gather(*(health.ready() for _ in range(20)))
    assert asked == 1


def test_two_checks_cannot_have_one_name() -> None:
    health = Health(Stopping())
    health.add("postgres", fine)
    with pytest.raises(ValueError, match="postgres"):
        health.add("postgres", fine)
