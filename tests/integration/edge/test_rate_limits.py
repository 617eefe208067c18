"""Rate limits: one allowance per caller, whoever of several processes is asked."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from ipaddress import ip_network
from typing import Any

import pytest

from libs.httpapi.admission import Limits
from libs.httpapi.edge import Edge
from libs.httpapi.rates import Rate, RateLimiter, limiter
from libs.httpapi.rates.sql import SQL
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from tests.support.databases import fresh_database
from tests.unit.edge.api import BEARER, READER_TOKEN, an_app
from tests.unit.edge.calls import Answer, call

SLOW = Rate(per_s=1, burst=100)
HUGE = Rate(per_s=1_000_000, burst=1_000_000)


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Pool]:
    """Yield a pool on a database that only knows rate limits."""
    async with (
        fresh_database(pg_url, "libs.httpapi.rates.migrations") as url,
        open_pool(url, name="test", size=4) as opened,
    ):
        yield opened


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the monotonic time of the limiters, which stands still until it is changed."""
    now = [1000.0]
    monkeypatch.setattr(limiter, "monotonic_s", lambda: now[0])
    return now


async def admitted(limiters: Sequence[RateLimiter], caller: str, *, requests: int) -> int:
    """Return how many of ``requests``, made of the processes in turn, were let in."""
    let_in = 0
    for number in range(requests):
        asked = limiters[number % len(limiters)]
        let_in += (await asked.take(caller)).is_admitted
        if number % 7 == 0:
            await asked.drain()
    return let_in


async def test_one_process_lets_in_the_burst_and_then_the_rate(clock: list[float]) -> None:
    alone = RateLimiter(Rate(per_s=10, burst=20))
    assert await admitted([alone], "ada", requests=50) == 20
    clock[0] += 1.0
    assert await admitted([alone], "ada", requests=50) == 10
    clock[0] += 3600.0
    assert await admitted([alone], "ada", requests=50) == 20


async def test_one_process_with_the_common_allowance_lets_in_exactly_the_burst(pool: Pool) -> None:
    assert await admitted([RateLimiter(SLOW, pool)], "ada", requests=150) == 100


@pytest.mark.edge_case("EC-SEC-010")
@pytest.mark.parametrize("processes", [2, 4])
async def test_all_processes_together_let_in_the_burst_and_two_slices_for_each_further_one(
    pool: Pool, processes: int
) -> None:
    limiters = [RateLimiter(SLOW, pool) for _ in range(processes)]
    let_in = await admitted(limiters, "ada", requests=400)
    seconds = 3  # that the test may last, at one request a second
    assert 100 - processes * SLOW.slice_size <= let_in
    assert let_in <= 100 + 2 * SLOW.slice_size * (processes - 1) + seconds


async def test_a_flood_of_simultaneous_requests_is_held_to_the_same_bound(pool: Pool) -> None:
    limiters = [RateLimiter(SLOW, pool) for _ in range(3)]
    verdicts = await asyncio.gather(*(limiters[number % 3].take("ada") for number in range(600)))
    let_in = sum(verdict.is_admitted for verdict in verdicts)
    assert let_in <= 100 + 2 * SLOW.slice_size * 2 + 3
    for one in limiters:
        await one.drain()


async def test_what_was_let_in_on_credit_is_charged_to_what_follows(pool: Pool) -> None:
    first, second = RateLimiter(SLOW, pool), RateLimiter(SLOW, pool)
    await admitted([first], "ada", requests=100)
    await admitted([second], "ada", requests=50)
    spent_s = await pool.fetchval("SELECT spent_until - asked_at FROM rate_limits")
    # A second of the wait for a busy machine gives a token back.
    assert spent_s >= 90


async def test_callers_do_not_share_an_allowance(pool: Pool) -> None:
    shared = RateLimiter(SLOW, pool)
    await admitted([shared], "ada", requests=150)
    assert (await shared.take("bob")).is_admitted
    await shared.drain()


async def test_a_request_normally_costs_no_question_to_the_database(pool: Pool) -> None:
    shared = RateLimiter(Rate(per_s=1000, burst=3200), pool)
    await admitted([shared], "ada", requests=1000)
    assert shared.questions <= 1000 / 100 + 2


async def test_a_caller_over_the_limit_costs_few_questions(pool: Pool) -> None:
    shared = RateLimiter(SLOW, pool)
    await admitted([shared], "ada", requests=150)
    before = shared.questions
    await admitted([shared], "ada", requests=2000)
    assert shared.questions - before <= 5


async def test_without_a_database_each_process_goes_on_alone_and_says_so(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.execute("DROP TABLE rate_limits")
    alone = RateLimiter(SLOW, pool)
    with caplog.at_level(logging.WARNING):
        assert await admitted([alone], "ada", requests=150) == 100
    assert {record.message for record in caplog.records} == {"rate_limit.alone"}


async def test_callers_who_have_their_whole_allowance_are_forgotten(pool: Pool) -> None:
    await pool.execute("INSERT INTO rate_limits VALUES ('\\x01', 1000, 1, 1000)")
    await pool.execute(
        "INSERT INTO rate_limits"
        " SELECT '\\x02', extract(epoch FROM clock_timestamp()) + 100, 1, 1000"
    )
    shared = RateLimiter(Rate(per_s=1000, burst=32), pool)
    await pool.execute(SQL.forget_idle, 60.0, 100)
    kept = await pool.fetch("SELECT caller FROM rate_limits")
    assert [row["caller"] for row in kept] == [b"\x02"]
    assert (await shared.take("ada")).is_admitted
    await shared.drain()


def an_edge(known: Rate = HUGE, unknown: Rate = HUGE, *, proxies: Sequence[str] = ()) -> Any:
    limits = Limits(
        RateLimiter(known),
        RateLimiter(unknown, kind="peer"),
        [ip_network(proxy) for proxy in proxies],
    )
    return an_app(edge=Edge(limits))


async def statuses(app: Any, *headers: dict[str, str], path: str = "/people") -> list[int]:
    return [(await call(app, "GET", path, headers=one)).status for one in headers]


async def test_the_first_request_beyond_the_burst_is_refused_with_the_time_to_wait() -> None:
    app = an_edge(Rate(per_s=0.5, burst=100))
    answers: list[Answer] = [await call(app, "GET", "/people", headers=BEARER) for _ in range(101)]
    assert [answer.status for answer in answers] == [200] * 100 + [429]
    refused = answers[-1]
    assert refused.json()["code"] == "rate_limited"
    assert refused.headers["retry-after"] == "2"


async def test_every_answer_tells_the_policy_and_what_is_left_of_it() -> None:
    app = an_edge(Rate(per_s=2, burst=10))
    first, second = [await call(app, "GET", "/people", headers=BEARER) for _ in range(2)]
    assert first.headers["ratelimit-policy"] == '"default";q=10;w=5'
    assert first.headers["ratelimit"] == '"default";r=9;t=1'
    assert second.headers["ratelimit"] == '"default";r=8;t=1'
    missing = await call(app, "GET", "/nowhere", headers=BEARER)
    assert (missing.status, missing.headers["ratelimit"]) == (404, '"default";r=7;t=2')


async def test_health_and_metrics_are_never_limited() -> None:
    app = an_edge(unknown=Rate(per_s=0.001, burst=1))
    for path in ("/health/live", "/health/ready", "/metrics"):
        assert 429 not in await statuses(app, *[{}] * 20, path=path)


async def test_another_key_has_an_allowance_of_its_own() -> None:
    app = an_edge(Rate(per_s=0.001, burst=1))
    other = {"authorization": f"Bearer {READER_TOKEN}"}
    assert await statuses(app, BEARER, BEARER, other) == [200, 429, 200]


async def test_who_guesses_keys_is_limited_by_address_whatever_they_send() -> None:
    app = an_edge(unknown=Rate(per_s=0.001, burst=2))
    guesses = [{"authorization": f"Bearer tester.{number}"} for number in range(4)]
    assert await statuses(app, *guesses) == [401, 401, 429, 429]


async def test_a_forged_forwarded_for_changes_nothing() -> None:
    app = an_edge(unknown=Rate(per_s=0.001, burst=1))
    forged = [{"x-forwarded-for": f"203.0.113.{number}"} for number in range(3)]
    assert await statuses(app, *forged) == [401, 429, 429]


async def test_behind_a_trusted_proxy_the_last_foreign_address_counts() -> None:
    app = an_edge(unknown=Rate(per_s=0.001, burst=1), proxies=["127.0.0.0/8", "10.0.0.0/8"])
    sent = ["203.0.113.1", "203.0.113.2, 10.1.1.1", "9.9.9.9, 203.0.113.1", "nonsense"]
    assert await statuses(app, *[{"x-forwarded-for": one} for one in sent]) == [401, 401, 429, 401]


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        pytest.param("2001:db8::1", "2001:db8::2", True, id="two addresses of one site"),
        pytest.param("2001:db8:0:1::1", "2001:db8:0:2::1", False, id="two sites"),
        pytest.param("::ffff:192.0.2.1", "::ffff:192.0.2.2", False, id="IPv4 in IPv6"),
    ],
)
async def test_all_addresses_of_one_ipv6_site_share_an_allowance(
    one: str, other: str, *, is_same: bool
) -> None:
    app = an_edge(unknown=Rate(per_s=0.001, burst=1), proxies=["127.0.0.1"])
    answers = await statuses(app, {"x-forwarded-for": one}, {"x-forwarded-for": other})
    assert answers == [401, 429 if is_same else 401]
