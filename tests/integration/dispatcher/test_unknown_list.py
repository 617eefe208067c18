"""The list of unknown outcomes: whole, in order, however old they are."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from contracts.user_events import UserRegistered
from libs.clock import FrozenClock
from libs.postgres.types import Pool
from services.dispatcher.adapters.ledger import list_unknown
from services.dispatcher.app.courier import Courier
from services.dispatcher.app.deliver_requests import deliver_requests
from services.dispatcher.app.settle_by_hand import settle_by_hand
from services.dispatcher.domain.delivery import Unknown
from tests.support.deliveries import TODAY, FakeProvider, a_request

NOWHERE = UUID(int=0)


@pytest.fixture
async def unknown(courier: Courier, provider: FakeProvider, ada: UserRegistered) -> list[date]:
    """Return the days of unknown deliveries, one a kind, made two days apart."""
    provider.answer = lambda _: Unknown("timed_out")
    requests = [
        a_request(ada.id),
        a_request(ada.id, kind="anniversary", local_day=TODAY - timedelta(days=2)),
    ]
    await deliver_requests(courier, requests)
    return sorted(request.local_day for request in requests)


async def listed(pool: Pool, after: tuple[date, UUID, str] | None = None) -> list[date]:
    async with pool.acquire() as connection:
        found = await list_unknown(connection, after=after or (date.min, NOWHERE, ""), limit=9)
    return [one.local_day for one in found]


async def test_an_unknown_outcome_stays_listed_until_somebody_settles_it(
    courier: Courier,
    pool: Pool,
    clock: FrozenClock,
    ada: UserRegistered,
    unknown: list[date],
) -> None:
    clock.advance(timedelta(days=300))
    assert await listed(pool) == unknown
    key = (unknown[0], ada.id, "anniversary")
    await settle_by_hand(pool, courier.greetings, key, "accepted", now=clock.now())
    assert await listed(pool) == unknown[1:]


async def test_a_page_goes_on_after_the_last_one(
    pool: Pool, ada: UserRegistered, unknown: list[date]
) -> None:
    assert await listed(pool, (unknown[0], ada.id, "anniversary")) == unknown[1:]
