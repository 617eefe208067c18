"""Reading in the order of positions: nothing is missed, nobody foreign is waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from libs.eventstore.feed import BadPositionError, PositionGoneError
from libs.outbox import OutboxMessage, put
from libs.outbox.feed import OutboxFeed
from libs.postgres.closed_positions import ClosedPositions
from libs.postgres.pool import open_pool
from libs.postgres.types import Connection, Pool
from tests.support.databases import fresh_database
from tests.support.depth import deeper

READ = "SELECT position FROM outbox WHERE position > $1 ORDER BY position LIMIT $2"


@pytest.fixture
async def pool(pg_url: str) -> AsyncIterator[Pool]:
    async with (
        fresh_database(pg_url, "libs.outbox.migrations") as url,
        open_pool(url, name="test", size=8) as opened,
    ):
        yield opened


def a_message(*items: int, key: str = "t.v1", exchange: str = "events") -> OutboxMessage:
    return OutboxMessage(exchange, key, len(items), ",".join(map(str, items)).encode())


async def put_one(connection: Connection | Pool, *items: int, key: str = "t.v1") -> None:
    message = a_message(*items, key=key)
    await connection.execute(
        "INSERT INTO outbox (exchange, routing_key, items, body) VALUES ($1, $2, $3, $4)",
        message.exchange,
        message.routing_key,
        message.items,
        message.body,
    )


def reader(pool: Pool) -> ClosedPositions:
    return ClosedPositions(pool.acquire, table="outbox", statement=READ)


async def positions(reader: ClosedPositions, after: int = 0, *, limit: int = 100) -> list[int]:
    read = await reader.read(after, limit=limit)
    return [row["position"] for row in read.rows]


@asynccontextmanager
async def an_open_transaction(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        yield connection
        await transaction.commit()


async def test_rows_behind_an_unfinished_transaction_are_not_told_before_it_ends(
    pool: Pool,
) -> None:
    closed = reader(pool)
    await put_one(pool, 1)
    async with an_open_transaction(pool) as late:
        await put_one(late, 2)
        await put_one(pool, 3)
        assert await positions(closed) == [1]
        assert await positions(closed, 1) == []  # after a second of waiting
        assert (await closed.read(1, limit=10)).has_more
    assert await positions(closed) == [1, 2, 3]


async def test_a_read_that_waits_goes_on_as_soon_as_the_writer_has_ended(pool: Pool) -> None:
    closed = reader(pool)
    async with an_open_transaction(pool) as late:
        await put_one(late, 1)
        await put_one(pool, 2)
        waiting = asyncio.create_task(positions(closed))
        await asyncio.sleep(0)
    assert await waiting == [1, 2]


async def test_a_rolled_back_position_closes_at_once(pool: Pool) -> None:
    await pool.execute("SELECT nextval('outbox_position')")
    await put_one(pool, 1)
    async with asyncio.timeout(0.5):
        assert await positions(reader(pool)) == [2]


async def test_a_foreign_transaction_does_not_hold_the_reader_up_even_at_a_gap(pool: Pool) -> None:
    await pool.execute("CREATE TABLE elsewhere (id int)")
    async with an_open_transaction(pool) as foreign:
        await foreign.execute("INSERT INTO elsewhere VALUES (1)")
        await pool.execute("SELECT nextval('outbox_position')")
        await put_one(pool, 1)
        async with asyncio.timeout(0.5):
            assert await positions(reader(pool)) == [2]


async def test_a_writer_of_the_table_without_a_gap_is_not_waited_for(pool: Pool) -> None:
    await put_one(pool, 1)
    async with an_open_transaction(pool) as later:
        await put_one(later, 2)
        async with asyncio.timeout(0.5):
            assert await positions(reader(pool)) == [1]


async def test_a_writer_that_began_after_the_gap_was_seen_does_not_keep_it_open(
    pool: Pool,
) -> None:
    closed = reader(pool)
    async with an_open_transaction(pool) as later:
        async with an_open_transaction(pool) as late:
            await put_one(late, 1)
            await put_one(pool, 2)
            assert await positions(closed) == []
            await put_one(later, 3)
        async with asyncio.timeout(0.5):
            assert await positions(closed) == [1, 2]


async def test_nothing_is_missed_beside_many_writers_of_whom_some_give_up(pool: Pool) -> None:
    closed, seen, last = reader(pool), [], 0

    async def write(writer: int) -> None:
        async with pool.acquire() as connection:
            for turn in range(deeper(30, 300)):
                transaction = connection.transaction()
                await transaction.start()
                await put_one(connection, writer)
                if (writer + turn) % 3 == 0:
                    await asyncio.sleep(0.002)
                await (transaction.rollback if (writer + turn) % 5 == 0 else transaction.commit)()

    writers = asyncio.gather(*(write(writer) for writer in range(6)))
    while not writers.done() or (await closed.read(last, limit=7)).rows:
        found = await positions(closed, last, limit=7)
        seen += found
        last = found[-1] if found else last
    written = [row["position"] for row in await pool.fetch("SELECT position FROM outbox")]
    assert seen == sorted(written)


async def test_a_page_may_end_within_a_row_and_the_next_goes_on_there(pool: Pool) -> None:
    feed = OutboxFeed(pool.acquire, exchange="events")
    await put_one(pool, 1, 2, 3)
    await put_one(pool, 4, key="other.v1")
    await put_one(pool, 5, 6)
    told: list[bytes] = []
    after, has_more = None, True
    while has_more:
        page = await feed.read(after, limit=2, types=frozenset({"t.v1"}))
        assert len(page.entries) <= 2
        told += [entry.event for entry in page.entries]
        after, has_more = page.next, page.has_more
    assert told == [b"1", b"2", b"3", b"5", b"6"]


async def test_each_event_names_the_position_from_which_a_reader_resumes(pool: Pool) -> None:
    feed = OutboxFeed(pool.acquire, exchange="events")
    await put_one(pool, 1, 2)
    await put_one(pool, 3)
    page = await feed.read(None, limit=10, types=frozenset())
    rest = [
        [
            entry.event
            for entry in (await feed.read(one.position, limit=10, types=frozenset())).entries
        ]
        for one in page.entries
    ]
    assert rest == [[b"2", b"3"], [b"3"], []]


async def test_what_goes_to_another_exchange_is_not_told(pool: Pool) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await put(connection, [a_message(1, exchange="commands"), a_message(2)])
    page = await OutboxFeed(pool.acquire, exchange="events").read(None, limit=9, types=frozenset())
    assert [entry.event for entry in page.entries] == [b"2"]


async def test_a_position_whose_partition_is_gone_is_refused_the_beginning_is_not(
    pool: Pool,
) -> None:
    feed = OutboxFeed(pool.acquire, exchange="events")
    await put_one(pool, 1)
    await pool.execute("SELECT setval('outbox_position', 1000000)")
    await put_one(pool, 2)
    await pool.execute("DROP TABLE outbox_000000")
    with pytest.raises(PositionGoneError):
        await feed.read("1", limit=9, types=frozenset())
    page = await feed.read(None, limit=9, types=frozenset())
    assert [entry.event for entry in page.entries] == [b"2"]


@pytest.mark.parametrize("text", ["x", "-1", "1.", "1.2.3", "9" * 40, ""])
async def test_what_is_no_position_is_refused(pool: Pool, text: str) -> None:
    with pytest.raises(BadPositionError):
        await OutboxFeed(pool.acquire, exchange="events").read(text, limit=1, types=frozenset())
