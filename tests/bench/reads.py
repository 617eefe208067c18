"""Reads of a person over HTTP beside a GET that does nothing: what a cache could save at most."""

from pathlib import Path
from statistics import median
from typing import Any

from deploy.native.processes import free_port
from tests.bench.client import Answers, get_all
from tests.bench.processor import Meter, Usage
from tests.bench.stage import import_people
from tests.support.town import AUTHORIZATION, BEFORE_NINE, Town, a_town

CONNECTIONS = 32
ROUNDS = 5
_PEOPLE = 1_000
_NOOP = "tests.bench.noop_service"


async def measure(
    pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path, reads: int
) -> dict[str, Any]:
    """Read a person ``reads`` times a round and return rate, and cost beside that of a no-op."""
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await town.start("user", roles=("api",), env={"JUBILEE_CLOCK": BEFORE_NINE})
        port = free_port()
        env = {"NOOP_API_KEYS_FILE": town.env["USER_API_KEYS_FILE"], "NOOP_HTTP_PORT": str(port)}
        await town.system.start("noop", _NOOP, env=env, port=port)
        await town.system.ready("noop")
        people = [*await import_people(town, ["UTC"] * _PEOPLE, birthday="1990-06-14")]
        paths = [f"/v1/users/{people[number % _PEOPLE]}" for number in range(reads)]
        noops, rounds = [], []
        for _ in range(ROUNDS):
            noops.append(await _get(town, "noop", ["/v1/noop"] * reads))
            rounds.append(await _get(town, "user", paths))
    cost, noop_cost = (
        median(usage.total_s() / reads * 1e6 for _, usage in measured)
        for measured in (rounds, noops)
    )
    return {
        "what": "reads of a person, 32 connections",
        "items": reads * ROUNDS,
        "per_s": round(median(answers.per_s for answers, _ in rounds)),
        "cpu_ms_per_1000": round(cost, 1),
        "noop_cpu_ms_per_1000": round(noop_cost, 1),
        "cost_to_noop": round(cost / noop_cost, 2),
        "p99_ms": round(median(answers.percentile_ms(0.99) for answers, _ in rounds), 1),
        "usage": rounds[-1][1],
    }


async def _get(town: Town, name: str, paths: list[str]) -> tuple[Answers, Usage]:
    meter = Meter()
    answers = await get_all(
        town.system.url(name),
        paths,
        authorization=AUTHORIZATION["Authorization"],
        connections=CONNECTIONS,
    )
    return answers, meter.read()
