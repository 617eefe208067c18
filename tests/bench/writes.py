"""Single writes: registrations over HTTP beside a POST that does nothing, in pairs."""

import json
from pathlib import Path
from statistics import median
from typing import Any

from deploy.native.processes import free_port
from tests.bench.client import Answers, post_all
from tests.bench.processor import Meter, Usage
from tests.support.town import AUTHORIZATION, BEFORE_NINE, Town, a_town

CONNECTIONS = 32
ROUNDS = 5
_NOOP = "tests.bench.noop_service"


async def measure(
    pg_url: str, amqp_url: str, amqp_api: str, *, folder: Path, writes: int
) -> dict[str, Any]:
    """Register ``writes`` people a round and return rate, cost, ratio and latency at half load."""
    async with a_town(pg_url, amqp_url, amqp_api, folder, is_quick=False) as town:
        await town.start("user", roles=("api",), env={"JUBILEE_CLOCK": BEFORE_NINE})
        keys = town.env["USER_API_KEYS_FILE"]
        port = free_port()
        env = {"NOOP_API_KEYS_FILE": keys, "NOOP_HTTP_PORT": str(port)}
        await town.system.start("noop", _NOOP, env=env, port=port)
        await town.system.ready("noop")
        noops, noop_usages, rounds, usages = [], [], [], []
        for number in range(ROUNDS):
            bodies = _bodies(writes, first=number * writes)
            meter = Meter()
            noops.append(await _post(town, "noop", "/v1/noop", bodies))
            noop_usages.append(meter.read())
            meter = Meter()
            rounds.append(await _post(town, "user", "/v1/users", bodies))
            usages.append(meter.read())
        best = median(one.per_s for one in rounds)
        half = await _post(
            town,
            "user",
            "/v1/users",
            _bodies(writes, first=ROUNDS * writes),
            per_s=best / 2,
        )
        lone = await _post(
            town,
            "user",
            "/v1/users",
            _bodies(200, first=(ROUNDS + 1) * writes),
            connections=1,
        )
    ratios = [one.per_s / noop.per_s for one, noop in zip(rounds, noops, strict=True)]
    cost, noop_cost = (
        median(map(Usage.total_s, measured)) / writes * 1e6 for measured in (usages, noop_usages)
    )
    return {
        "what": "single writes, 32 connections",
        "items": writes * ROUNDS,
        "per_s": round(best),
        "cpu_ms_per_1000": round(cost, 1),
        "noop_cpu_ms_per_1000": round(noop_cost, 1),
        "cost_to_noop": round(cost / noop_cost, 2),
        "noop_per_s": round(median(one.per_s for one in noops)),
        "ratio_to_noop": round(median(ratios), 3),
        "half_load_p99_ms": round(half.percentile_ms(0.99), 1),
        "lone_p50_ms": round(lone.percentile_ms(0.5), 2),
        "usage": usages[-1],
    }


async def _post(
    town: Town,
    name: str,
    path: str,
    bodies: list[bytes],
    *,
    connections: int = CONNECTIONS,
    per_s: float | None = None,
) -> Answers:
    return await post_all(
        town.system.url(name) + path,
        bodies,
        authorization=AUTHORIZATION["Authorization"],
        connections=connections,
        per_s=per_s,
    )


def _bodies(count: int, *, first: int) -> list[bytes]:
    return [
        json.dumps(
            {
                "first_name": "Ada",
                "last_name": f"Number {number}",
                "email": f"ada{number}@example.com",
                "timezone": "Europe/Berlin",
                "birthday": "1990-06-14",
            }
        ).encode()
        for number in range(first, first + count)
    ]
