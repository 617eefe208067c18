"""Whoever is deleted is known to be gone at the only door to the provider, within moments."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from tests.support.deletions import deletion_delays_s, percentile
from tests.support.town import a_town

PEOPLE = 40


async def test_the_dispatcher_knows_of_a_deletion_within_moments(
    pg_url: str,
    amqp_url: str,
    amqp_api: str,
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    async with a_town(pg_url, amqp_url, amqp_api, tmp_path) as town:
        await asyncio.gather(town.start("user"), town.start("dispatcher"))
        registered = (
            town.register(number, birthday="1990-03-14", timezone="Asia/Tokyo")
            for number in range(PEOPLE)
        )
        delays_s = await deletion_delays_s(town, await asyncio.gather(*registered))
    record_property("median_s", percentile(delays_s, 0.5))
    record_property("slowest_s", delays_s[-1])
    assert percentile(delays_s, 0.9) < 1
    assert delays_s[-1] < 5
