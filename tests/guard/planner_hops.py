"""The planner's hops: a slice planned, a batch released, answers taken in, people taken in."""

from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from contracts import dispatch, topology, user_events
from contracts.dispatch import DeliveryAccepted
from contracts.envelope import Event
from contracts.kinds import KINDS
from libs.broker.connection import open_broker
from libs.clock import FrozenClock
from libs.postgres.types import Pool
from services.planner.app.opening import cut_next_day, open_days_ahead
from services.planner.app.planning import plan_next_slice
from services.planner.app.releasing import release_due
from services.planner.app.upkeep import keep_partitions
from services.planner.entrypoints.consumers import outcome_handler, people_handler
from services.planner.wiring import MIGRATIONS, PLANNING
from tests.bench.planned import fill_recipients
from tests.guard.hop import (
    BATCHES,
    MESSAGE,
    Hop,
    Work,
    a_database,
    an_id,
    expect,
    keep_still,
    message_of,
)
from tests.support.deliveries import a_person, told
from tests.support.vhosts import fresh_vhost

SLICE = 500
RELEASED = 500
_DAY = date(2027, 3, 10)
_PLANNED_AT = datetime(2027, 3, 8, tzinfo=UTC)
_NINE = datetime(2027, 3, 10, 9, 0, 1, tzinfo=UTC)
_ASK_AFTER = timedelta(minutes=10)
_BORN_THAT_DAY = """
INSERT INTO celebrations (bucket, person_id, kind, zone, leap_day, origin, since, person_version)
SELECT 310, person_id, 'birthday', zone, 'feb28', '1990-03-10', '2020-01-01', 1 FROM recipients
"""


async def planner_hops(pg_url: str, amqp_url: str, amqp_api: str) -> AsyncGenerator[Hop, None]:
    """Yield the hops over one database: what one leaves behind is what the next takes."""
    async with (
        a_database(pg_url, *MIGRATIONS, settings=PLANNING) as pool,
        fresh_vhost(amqp_url, amqp_api) as vhost_url,
        open_broker(vhost_url, name="guard", unheard=topology.UNHEARD) as broker,
    ):
        await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
        kinds = list(KINDS.values())
        await _open_the_day(pool)

        async def plan(_: int) -> Work:
            async def work() -> None:
                expect(await plan_next_slice(pool, kinds, now=_PLANNED_AT), SLICE)

            return work

        async def release(_: int) -> Work:
            async def work() -> None:
                taken = await release_due(
                    pool,
                    broker.publisher,
                    _DAY,
                    kinds=KINDS,
                    now=_NINE,
                    limit=RELEASED,
                    ask_after=_ASK_AFTER,
                )
                expect(len(taken), RELEASED)

            return work

        accepting = outcome_handler(pool, FrozenClock(_NINE), KINDS)
        projecting = people_handler(pool, FrozenClock(_PLANNED_AT), KINDS)

        async def accept(number: int) -> Work:
            released = await pool.fetch(
                "SELECT person_id FROM plan WHERE local_day = $1 AND state = 'released'"
                " ORDER BY person_id LIMIT $2",
                _DAY,
                MESSAGE,
            )
            expect(len(released), MESSAGE)
            told_of = [_accepted(row["person_id"]) for row in released]
            message = message_of(number, told_of)

            async def work() -> None:
                await accepting(message)

            return work

        async def project(number: int) -> Work:
            message = message_of(
                number, [_registered(number * MESSAGE + n) for n in range(MESSAGE)]
            )

            async def work() -> None:
                await projecting(message)

            return work

        yield Hop("plan", SLICE, pool, plan)
        yield Hop("release", RELEASED, pool, release)
        yield Hop("accept", MESSAGE, pool, accept)
        yield Hop("project", MESSAGE, pool, project)
        await _look_what_came_of_it(pool)


async def _open_the_day(pool: Pool) -> None:
    """Have everybody born that day, and the day cut into slices but not planned."""
    async with pool.acquire() as connection:
        await fill_recipients(connection, BATCHES * SLICE)
        await connection.execute(_BORN_THAT_DAY)
    await keep_partitions(pool, now=_PLANNED_AT)
    await keep_still(pool)
    await open_days_ahead(pool, now=_PLANNED_AT, horizon_days=3)
    while await cut_next_day(pool, list(KINDS.values()), now=_PLANNED_AT, slice_size=SLICE):
        pass
    earlier = "SELECT count(*) FROM slices WHERE local_day < $1"
    for _ in range(await pool.fetchval(earlier, _DAY)):
        expect(await plan_next_slice(pool, list(KINDS.values()), now=_PLANNED_AT), 0)


async def _look_what_came_of_it(pool: Pool) -> None:
    accepted = "SELECT count(*) FROM plan WHERE state = 'accepted'"
    expect(await pool.fetchval(accepted), BATCHES * MESSAGE)
    expect(await pool.fetchval("SELECT count(*) FROM recipients"), BATCHES * (SLICE + MESSAGE))


def _registered(number: int) -> Event[Any]:
    """Somebody in one of a few zones, born on any day of the year."""
    zones = ("Asia/Shanghai", "Asia/Kolkata", "Europe/Berlin", "America/New_York")
    born = date(1990, 1, 1) + timedelta(days=number % 365)
    person = a_person(
        id=an_id("registered", number),
        birthday=born.isoformat(),
        timezone=zones[number % len(zones)],
        active_since=_PLANNED_AT - timedelta(days=1),
    )
    return told(person, user_events.USER_REGISTERED)


def _accepted(person_id: Any) -> Event[Any]:
    answer = DeliveryAccepted(
        local_day=_DAY,
        person_id=person_id,
        kind="birthday",
        release=1,
        accepted_at=_NINE,
        due_at=_NINE,
        provider="postmark",
        message_id=str(person_id),
    )
    return told(answer, dispatch.DELIVERY_ACCEPTED)
