"""What delivering costs as messages and tables grow: statements by the batch, pages by the day."""

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from services.dispatcher.adapters.sql import SQL
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.project_contacts import project_contacts
from services.dispatcher.wiring import PLANNING
from tests.support.deliveries import TODAY, FakeProvider, a_person, a_request, told
from tests.support.recipients import person_id
from tests.support.statements import statements_of


@pytest.fixture
async def narrow(pool: Pool, database_url: str) -> AsyncIterator[Pool]:  # noqa: ARG001
    """Yield a pool of one connection on the database with its partitions."""
    async with open_pool(database_url, name="narrow", size=1, settings=PLANNING) as opened:
        yield opened


@pytest.mark.edge_case("EC-DB-024")
async def test_five_hundred_take_as_many_statements_as_one(
    narrow: Pool, courier: Courier, provider: FakeProvider
) -> None:
    by_size: dict[int, list[list[str]]] = {}
    for size in (1, 1, 500):  # at first the driver learns the types
        people = [a_person() for _ in range(size)]
        async with statements_of(narrow) as projecting:
            await project_contacts(narrow, [told(person) for person in people])
        async with statements_of(narrow) as delivering:
            await deliver_requests(
                replace(courier, pool=narrow), [a_request(person.id) for person in people]
            )
        by_size[size] = [projecting, delivering]
    assert len(provider.mails) == 502
    assert by_size[500] == by_size[1]
    assert all(by_size[1])


@pytest.mark.edge_case("EC-DB-023", "EC-PF-014", "EC-PF-016")
@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        pytest.param(SQL.sum_day, (TODAY,), id="account of a day"),
        pytest.param(SQL.list_story, (TODAY, person_id(1), "birthday"), id="one occurrence"),
    ],
)
async def test_questions_about_a_day_read_that_days_partition_only(
    pool: Pool, statement: str, arguments: tuple[Any, ...]
) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")
        rows = await connection.fetch(f"EXPLAIN {statement}", *arguments)
    plan = "\n".join(row[0] for row in rows)
    assert set(re.findall(r"delivery_events_\d{8}", plan)) == {"delivery_events_20260614"}
