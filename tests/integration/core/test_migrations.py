"""Migrations: once each, however many start; partitions: ahead, and dropped."""

import asyncio
from datetime import date
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from libs.outbox import pages
from libs.postgres import migrations, partitions
from libs.postgres.migrations import ChangedMigrationError, Migration
from libs.postgres.pool import open_pool
from libs.resilience import LoginRefusedError
from tests.support.databases import fresh_database

OUTBOX = "libs.outbox.migrations"


@pytest.mark.edge_case("EC-RC-015")
async def test_runners_beside_each_other_apply_each_file_once(pg_url: str) -> None:
    async with fresh_database(pg_url) as url:
        applied = await asyncio.gather(*(migrations.migrate(url, OUTBOX) for _ in range(4)))
        assert sum(len(names) for names in applied) == len(migrations.migrations(OUTBOX))


async def test_a_file_edited_after_it_was_applied_is_refused(
    pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with fresh_database(pg_url, OUTBOX) as url:
        edited = [Migration(f"{OUTBOX}/0001_outbox.sql", "SELECT 1")]
        monkeypatch.setattr(migrations, "migrations", lambda *_: edited)
        with pytest.raises(ChangedMigrationError):
            await migrations.migrate(url, OUTBOX)


@pytest.mark.edge_case("EC-DB-009")
async def test_a_failing_migration_leaves_nothing_behind(
    pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [Migration("x/0001.sql", "CREATE TABLE half (id int); SELECT 1 / 0")]
    monkeypatch.setattr(migrations, "migrations", lambda *_: broken)
    async with fresh_database(pg_url) as url:
        with pytest.raises(asyncpg.DivisionByZeroError):
            await migrations.migrate(url, "x")
        connection = await asyncpg.connect(url)
        assert await connection.fetchval("SELECT to_regclass('half') IS NULL")
        await connection.close()


@pytest.mark.edge_case("EC-RC-014")
async def test_a_migration_that_would_wait_behind_a_reader_gives_up_and_leaves_nothing(
    pg_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = Migration("x/0001.sql", "SET lock_timeout = '200ms'; CREATE INDEX ON kept (id)")
    monkeypatch.setattr(migrations, "migrations", lambda *_: [index])
    async with fresh_database(pg_url) as url:
        reader = await asyncpg.connect(url)
        await reader.execute("CREATE TABLE kept (id int)")
        async with reader.transaction():
            await reader.execute("INSERT INTO kept VALUES (1)")
            with pytest.raises(asyncpg.LockNotAvailableError):
                await migrations.migrate(url, "x")
        assert await migrations.migrate(url, "x") == ["x/0001.sql"]
        assert (
            await reader.fetchval("SELECT count(*) FROM pg_indexes WHERE tablename = 'kept'") == 1
        )
        await reader.close()


async def test_bodies_are_compressed_by_lz4_where_the_server_can(pg_url: str) -> None:
    async with fresh_database(pg_url, OUTBOX) as url:
        connection = await asyncpg.connect(url)
        await pages.create_ahead(connection, 5_000_000)
        methods = await connection.fetch(
            "SELECT attcompression::text AS method FROM pg_attribute"
            " JOIN pg_inherits ON inhrelid = attrelid"
            " WHERE attname = 'body' AND inhparent = 'outbox'::regclass"
        )
        can = await connection.fetchval(
            "SELECT 'lz4' = ANY (enumvals) FROM pg_settings"
            " WHERE name = 'default_toast_compression'"
        )
        assert [row["method"] for row in methods] == ["l" if can else ""] * 6
        await connection.close()


async def test_day_partitions_stand_ahead_and_old_ones_go(pg_url: str) -> None:
    async with fresh_database(pg_url) as url:
        connection = await asyncpg.connect(url)
        await connection.execute(
            "CREATE TABLE diary (day date NOT NULL, text text) PARTITION BY RANGE (day)"
        )
        first = date(2026, 12, 30)
        made = await partitions.ensure_day_partitions(connection, "diary", first=first, days=4)
        again = await partitions.ensure_day_partitions(connection, "diary", first=first, days=5)
        assert (made, again) == (4, 1)
        await partitions.drop_day_partitions(connection, "diary", before=date(2027, 1, 1))
        assert await partitions.day_partitions(connection, "diary") == [
            date(2027, 1, 1),
            date(2027, 1, 2),
            date(2027, 1, 3),
        ]
        await connection.close()


@pytest.mark.parametrize("name", ["diary; DROP TABLE x", "Diary", "", "a" * 64])
async def test_a_partition_is_never_named_by_anything_but_an_identifier(name: str) -> None:
    with pytest.raises(ValueError, match="not a table name"):
        await partitions.drop_partition(None, name, name)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"path": "/no_such_database"}, id="no such database"),
        pytest.param({"user": "no_such_role"}, id="no such role"),
    ],
)
async def test_a_server_that_does_not_let_us_in_is_not_waited_for(
    pg_url: str, wrong: dict[str, str]
) -> None:
    parts = urlsplit(pg_url)
    netloc = parts.netloc
    if user := wrong.get("user"):
        netloc = f"{user}:x@{netloc.rpartition('@')[2]}"
    url = urlunsplit(parts._replace(netloc=netloc, path=wrong.get("path", parts.path)))
    with pytest.raises(LoginRefusedError, match="mend"):
        async with open_pool(url, name="test"):
            pass
    with pytest.raises(LoginRefusedError, match="mend"):
        await migrations.migrate(url, OUTBOX)
