"""The relay: nothing skipped, nothing waited for, crashes repeat and never lose."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from contracts import codec
from contracts.dispatch import DELIVERY_REFUSED
from libs.outbox import OutboxMessage, Relay, oldest_unpublished_s, put
from libs.postgres.partitions import partition_names
from libs.postgres.pool import open_pool
from libs.postgres.types import Connection, Pool
from tests.support.databases import fresh_database
from tests.support.publishers import FakePublisher
from tests.support.town import until
from tests.unit.contracts.test_codec import a_refusal

EVENTS = "jubilee.events"


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Pool]:
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as url,
        open_pool(url, name="test", size=4) as opened,
    ):
        yield opened


def a_message(number: int, *, key: str = DELIVERY_REFUSED) -> OutboxMessage:
    return OutboxMessage(EVENTS, key, 1, codec.encode_items([a_refusal(number)]))


async def put_all(pool: Pool, *numbers: int) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await put(connection, [a_message(number) for number in numbers])


def released(publisher: FakePublisher) -> list[int]:
    return [event.data.release for event in publisher.events()]


async def test_rows_of_one_routing_key_travel_as_one_message(pool: Pool) -> None:
    publisher = FakePublisher()
    await put_all(pool, 1, 2, 3)
    assert await Relay(pool, publisher, name="t").run_once() == 3
    assert [message.items for message in publisher.published] == [3]
    assert released(publisher) == [1, 2, 3]


async def test_what_is_published_is_not_published_again(pool: Pool) -> None:
    publisher = FakePublisher()
    relay = Relay(pool, publisher, name="t")
    await put_all(pool, 1)
    assert [await relay.run_once(), await relay.run_once()] == [1, 0]


async def test_a_transaction_that_commits_late_is_neither_skipped_nor_waited_for(
    pool: Pool,
) -> None:
    publisher = FakePublisher()
    relay = Relay(pool, publisher, name="t")
    async with pool.acquire() as late:
        transaction = late.transaction()
        await transaction.start()
        await put(late, [a_message(1)])
        await put_all(pool, 2)
        await relay.run_once()
        assert released(publisher) == [2]
        await transaction.commit()
    await relay.run_once()
    assert released(publisher) == [2, 1]


async def test_a_refused_message_stays_and_its_neighbours_go_on(pool: Pool) -> None:
    publisher = FakePublisher()
    publisher.refused.add("nobody.listens.v1")
    relay = Relay(pool, publisher, name="t")
    async with pool.acquire() as connection:
        await put(connection, [a_message(1, key="nobody.listens.v1"), a_message(2)])
    with pytest.raises(ExceptionGroup):
        await relay.run_once()
    assert released(publisher) == [2]
    publisher.refused.clear()
    await relay.run_once()
    assert [message.routing_key for message in publisher.published][1:] == ["nobody.listens.v1"]


class _CrashingPublisher(FakePublisher):
    """Publishes, then dies before the relay can move its cursor."""

    async def publish(self, *args: object, **options: object) -> None:
        await super().publish(*args, **options)  # type: ignore[arg-type]
        raise asyncio.CancelledError


async def test_a_crash_between_confirm_and_cursor_publishes_again(pool: Pool) -> None:
    crashing, publisher = _CrashingPublisher(), FakePublisher()
    await put_all(pool, 1)
    with pytest.raises(asyncio.CancelledError):
        await Relay(pool, crashing, name="t").run_once()
    await Relay(pool, publisher, name="t").run_once()
    assert released(crashing) == released(publisher) == [1]


async def test_two_relays_never_publish_at_once(pool: Pool) -> None:
    publisher = FakePublisher()
    await put_all(pool, *range(1, 101))
    relays = [Relay(pool, publisher, name=f"t{number}", batch_rows=10) for number in range(3)]
    for _ in range(20):
        await asyncio.gather(*(relay.run_once() for relay in relays))
    assert sorted(released(publisher)) == list(range(1, 101))


async def test_a_thousand_racing_transactions_all_arrive_once(pool: Pool) -> None:
    publisher = FakePublisher()
    relay = Relay(pool, publisher, name="t", batch_rows=50)
    done = asyncio.Event()

    async def write(numbers: range) -> None:
        for number in numbers:
            await put_all(pool, number)

    async def keep_relaying() -> None:
        while not done.is_set() or await relay.run_once():
            await relay.run_once()

    relaying = asyncio.create_task(keep_relaying())
    await asyncio.gather(*(write(range(first, 1001, 3)) for first in (1, 2, 3)))
    done.set()
    await relaying
    assert sorted(released(publisher)) == list(range(1, 1001))


async def roll_back(pool: Pool) -> None:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await put(connection, [a_message(99)])
        await transaction.rollback()


async def gap_count(connection: Connection) -> int:
    count: int = await connection.fetchval(
        "SELECT count(*) FROM outbox_cursor, unnest('{[1,)}'::int8multirange - done)"
    )
    return count


async def test_a_gap_is_closed_when_nobody_can_fill_it_any_more(pool: Pool) -> None:
    relay = Relay(pool, FakePublisher(), name="t", statement_timeout_s=-2)
    await put_all(pool, 1)
    await roll_back(pool)
    await put_all(pool, 2)
    await relay.run_once()
    async with pool.acquire() as connection:
        assert await gap_count(connection) == 2
        assert [await relay.close_gaps() for _ in range(2)] == [False, False]
        # Transactions of other tests hold the horizon back for a moment.
        await until(lambda: closed_gaps(relay), timeout_s=20)
        assert await gap_count(connection) == 1


async def test_a_gap_that_a_transaction_may_still_fill_stays_open(pool: Pool) -> None:
    publisher = FakePublisher()
    relay = Relay(pool, publisher, name="t", statement_timeout_s=-2)
    async with pool.acquire() as late:
        transaction = late.transaction()
        await transaction.start()
        await put(late, [a_message(1)])
        await put_all(pool, 2)
        await relay.run_once()
        assert [await relay.close_gaps() for _ in range(5)] == [False] * 5
        await transaction.commit()
    # Now it is visible: published first, closed afterwards.
    assert not await relay.close_gaps()
    await relay.run_once()
    assert sorted(released(publisher)) == [1, 2]


async def test_the_age_of_the_oldest_waiting_row_is_real_time(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await oldest_unpublished_s(connection) == 0
        await put(connection, [a_message(1)])
        assert 0 < await oldest_unpublished_s(connection) < 60


async def test_published_partitions_are_dropped_and_new_ones_stand_ready(pool: Pool) -> None:
    relay = Relay(pool, FakePublisher(), name="t")
    async with pool.acquire() as connection:
        await connection.execute("SELECT setval('outbox_position', 1999999)")
        await connection.execute("UPDATE outbox_cursor SET done = '{[1,2000000)}'")
        await relay.keep_partitions()
        await put(connection, [a_message(1)])
        names = await connection.fetch(
            "SELECT relname FROM pg_class WHERE relname ~ '^outbox_[0-9]+$' ORDER BY 1"
        )
    assert [name["relname"] for name in names] == ["outbox_000002", "outbox_000003"]
    assert await relay.run_once() == 1


async def test_published_partitions_stay_as_long_as_the_feed_reaches_back(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await put(connection, [a_message(1)])
        await connection.execute("SELECT setval('outbox_position', 1999999)")
        await connection.execute("UPDATE outbox_cursor SET done = '{[1,2000000)}'")

    async def first_after_keeping(days: int) -> str:
        await Relay(pool, FakePublisher(), name="t", kept=timedelta(days=days)).keep_partitions()
        async with pool.acquire() as connection:
            return (await partition_names(connection, "outbox"))[0]

    assert await first_after_keeping(2) == "outbox_000000"
    await pool.execute("UPDATE outbox SET recorded_at = recorded_at - interval '3 days'")
    assert await first_after_keeping(2) == "outbox_000002"


async def closed_gaps(relay: Relay) -> bool | None:
    """Tell when the relay has closed what gaps there are."""
    return await relay.close_gaps() or None


async def test_published_rows_are_gone_soon_even_where_few_are_written(pool: Pool) -> None:
    """What an event told of a person does not outlive the event's publication for long."""
    publisher = FakePublisher()
    page = timedelta(hours=1)
    relay = Relay(pool, publisher, name="t", statement_timeout_s=-2, page=page)

    async def keep() -> list[str]:
        await relay.keep_partitions()
        async with pool.acquire() as connection:
            return await partition_names(connection, "outbox")

    await put_all(pool, 1, 2)
    await relay.run_once()
    assert (await keep())[0] == "outbox_000000"
    await pool.execute("UPDATE outbox SET recorded_at = recorded_at - interval '2 hours'")
    await keep()
    # Transactions of other tests hold the horizon back for a moment.
    await until(lambda: closed_gaps(relay), timeout_s=20)
    assert (await keep())[0] == "outbox_000001"
    assert await pool.fetchval("SELECT count(*) FROM outbox") == 0
    await put_all(pool, 3)
    await relay.run_once()
    assert released(publisher) == [1, 2, 3]
    assert await keep() == ["outbox_000001", "outbox_000002", "outbox_000003"]


async def test_a_row_that_waits_is_not_forgotten_with_its_page(pool: Pool) -> None:
    publisher = FakePublisher()
    page = timedelta(hours=1)
    relay = Relay(pool, publisher, name="t", statement_timeout_s=-2, page=page)
    await put_all(pool, 1)
    await pool.execute("UPDATE outbox SET recorded_at = recorded_at - interval '2 hours'")
    for _ in range(5):
        await relay.keep_partitions()
        await relay.close_gaps()
    await put_all(pool, 2)
    await relay.run_once()
    assert released(publisher) == [1, 2]


async def test_turning_the_page_disturbs_no_writer(pool: Pool) -> None:
    publisher = FakePublisher()
    relay = Relay(pool, publisher, name="t", page=timedelta(0))

    async def write(numbers: range) -> None:
        for number in numbers:
            await put_all(pool, number)

    async def turn() -> None:
        for _ in range(20):
            await relay.keep_partitions()
            await relay.run_once()

    await asyncio.gather(turn(), *(write(range(first, 301, 3)) for first in (1, 2, 3)))
    while await relay.run_once():
        pass
    assert sorted(released(publisher)) == list(range(1, 301))


async def test_reading_walks_gaps_by_the_primary_key(pool: Pool) -> None:
    async with pool.acquire() as connection:
        plan = await connection.fetch(
            "EXPLAIN SELECT row.position FROM outbox_cursor AS cursor"
            " CROSS JOIN LATERAL unnest('{[1,)}'::int8multirange - cursor.done) AS gap"
            " CROSS JOIN LATERAL (SELECT position FROM outbox WHERE position >= lower(gap)"
            " AND position < coalesce(upper(gap), 9223372036854775807) ORDER BY position LIMIT 500)"
            " AS row WHERE cursor.id = 1 LIMIT 500"
        )
    text = "\n".join(line[0] for line in plan)
    assert "Seq Scan on outbox_0" not in text
    assert "pkey" in text


async def test_an_outbox_row_never_holds_more_than_a_batch(pool: Pool) -> None:
    async with pool.acquire() as connection:
        with pytest.raises(asyncpg.CheckViolationError):
            await put(connection, [OutboxMessage(EVENTS, DELIVERY_REFUSED, 501, b"{}")])
