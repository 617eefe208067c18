"""The provider's rate holds for all dispatchers together, and nothing claimed waits for it."""

import asyncio
import sys
from collections.abc import Sequence
from dataclasses import replace

import pytest

from contracts.user_events import UserRegistered
from libs.clock import monotonic_s
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.dispatcher.adapters.permits import Rate, give_back_permits, take_permits
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from tests.support.deliveries import FakeProvider, a_person, a_request, published, told

TAKER = """
import asyncio, random, sys, time
from libs.postgres.pool import open_pool
from services.dispatcher.adapters.permits import Rate, take_permits

async def main(url, rate, burst, lasts_s):
    async with open_pool(url, name="taker", size=1) as pool:
        taken, end_s = 0, time.monotonic() + lasts_s
        while time.monotonic() < end_s:
            async with pool.acquire() as connection:
                granted = await take_permits(connection, "smtp", Rate(rate, burst), wanted=20)
            taken += granted.permits
            if not granted.permits:
                # Takers in step with each other would be served in one order all the time.
                await asyncio.sleep(granted.wait_s + random.uniform(0, 0.02))
        print(taken)

url, rate, burst, lasts_s = sys.argv[1:]
asyncio.run(main(url, float(rate), int(burst), float(lasts_s)))
"""


async def take(pool: Pool, rate: Rate, wanted: int) -> tuple[int, float]:
    async with pool.acquire() as connection:
        granted = await take_permits(connection, "smtp", rate, wanted=wanted)
    return granted.permits, granted.wait_s


async def people(pool: Pool, number: int) -> list[UserRegistered]:
    persons = [a_person() for _ in range(number)]
    await project_contacts(pool, [told(person) for person in persons])
    return persons


@pytest.mark.edge_case("EC-API-010")
async def test_burst_is_there_at_once_and_the_rest_comes_at_the_rate(pool: Pool) -> None:
    rate = Rate(100, 50)
    assert await take(pool, rate, 500) == (50, 0.0)
    permits, wait_s = await take(pool, rate, 500)
    assert (permits, 0.2 < wait_s <= 0.25) == (0, True)
    await asyncio.sleep(wait_s)
    assert 25 <= (await take(pool, rate, 500))[0] <= 35


async def test_few_wanted_wait_for_no_whole_slice(pool: Pool) -> None:
    rate = Rate(100, 50)
    await take(pool, rate, 50)
    _, wait_s = await take(pool, rate, 1)
    assert wait_s <= 0.01


async def test_unused_permits_go_back(pool: Pool) -> None:
    rate = Rate(1, 10)
    await take(pool, rate, 10)
    async with pool.acquire() as connection:
        await give_back_permits(connection, "smtp", rate, unused=4)
    assert (await take(pool, rate, 10))[0] == 4


async def test_rate_that_is_lowered_holds_from_its_next_permit(pool: Pool) -> None:
    await take(pool, Rate(1000, 1000), 1000)
    permits, wait_s = await take(pool, Rate(10, 10), 10)
    assert (permits, wait_s < 1) == (0, True)


async def test_clock_that_was_set_back_keeps_nothing_waiting(pool: Pool) -> None:
    rate = Rate(100, 50)
    await take(pool, rate, 50)
    await pool.execute("UPDATE provider_rates SET full_at = full_at + interval '1 day'")
    assert (await take(pool, rate, 50))[1] <= 0.5


@pytest.mark.edge_case("EC-API-008")
async def test_rate_holds_for_several_processes_together(database_url: str) -> None:
    # The burst is many times what is wanted at once: who comes late to it loses nothing.
    rate, burst, lasts_s = 400, 200, 2.0
    arguments = (database_url, str(rate), str(burst), str(lasts_s))
    started_s = monotonic_s()
    takers = [
        await asyncio.create_subprocess_exec(
            sys.executable, "-c", TAKER, *arguments, stdout=asyncio.subprocess.PIPE
        )
        for _ in range(3)
    ]
    counts = [int((await taker.communicate())[0]) for taker in takers]
    longest_s = monotonic_s() - started_s
    assert sum(counts) <= burst + rate * longest_s
    assert sum(counts) >= rate * lasts_s * 0.8
    assert all(counts)


async def test_two_dispatchers_send_no_faster_than_the_rate_and_claim_only_what_they_send(
    database_url: str, pool: Pool, courier: Courier, provider: FakeProvider
) -> None:
    sent_s: list[float] = []
    provider.before_call = lambda: _noted(sent_s)
    persons = await people(pool, 90)
    requests = [a_request(person.id) for person in persons]
    async with open_pool(database_url, name="other", size=2) as other_pool:
        rate = Rate(100, 20)
        couriers = [replace(courier, rate=rate), replace(courier, pool=other_pool, rate=rate)]
        started_s = monotonic_s()
        await asyncio.gather(
            deliver_requests(couriers[0], requests[:45]),
            deliver_requests(couriers[1], requests[45:]),
        )
        took_s = monotonic_s() - started_s
    assert len(provider.mails) == 90
    assert took_s >= (90 - 20) / 100 - 0.02
    assert max(sent_s) - min(sent_s) >= 0.4


async def _noted(sent_s: list[float]) -> None:
    sent_s.append(monotonic_s())


async def test_what_the_rate_does_not_allow_in_time_goes_back_unclaimed(
    pool: Pool, courier: Courier, provider: FakeProvider
) -> None:
    persons = await people(pool, 10)
    slow = replace(courier, rate=Rate(0.1, 3))
    await deliver_requests(slow, [a_request(person.id) for person in persons], gate_wait_s=0.1)
    assert len(provider.mails) == 3
    returned = [event.data.reason for event in await published(pool) if "returned" in event.type]
    assert returned == ["unavailable"] * 7
    assert await pool.fetchval("SELECT count(*) FROM delivery_events WHERE step = 0") == 3


async def test_permits_of_requests_that_need_no_mail_are_not_lost(
    pool: Pool, courier: Courier, provider: FakeProvider
) -> None:
    persons = await people(pool, 5)
    slow = replace(courier, rate=Rate(0.1, 5))
    requests = [a_request(person.id) for person in persons]
    unknown = [a_request(person.id, person_version=9) for person in persons]
    async with asyncio.timeout(10):
        await deliver_requests(slow, unknown)
        await deliver_requests(slow, requests)
    assert len(provider.mails) == 5


def test_slice_is_a_quarter_of_a_second_and_never_more_than_the_burst() -> None:
    rates: Sequence[tuple[Rate, int]] = [
        (Rate(1000, 1000), 250),
        (Rate(1000, 10), 10),
        (Rate(1, 1), 1),
        (Rate(10, 10), 3),
    ]
    assert [rate.slice for rate, _ in rates] == [size for _, size in rates]
