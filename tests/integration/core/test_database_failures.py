"""What happens when PostgreSQL is away, slow, full, or not who it should be."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from deploy.native.ports import free_port
from libs.postgres.pool import open_pool
from libs.postgres.types import Pool
from libs.resilience import (
    PASSING,
    CircuitOpenError,
    Guard,
    LoginRefusedError,
    connecting,
    repeating,
)
from tests.support.databases import execute, fresh_database
from tests.support.town import until

Wire = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture
async def url(pg_url: str) -> AsyncIterator[str]:
    async with fresh_database(pg_url, "libs.outbox.migrations") as database_url:
        await execute(database_url, "CREATE TABLE kept (number int PRIMARY KEY)")
        yield database_url


@pytest.fixture
async def pool(url: str) -> AsyncIterator[Pool]:
    async with open_pool(url, name="edges", size=2, statement_timeout_s=1.0) as opened:
        yield opened


class Line:
    """A network between us and the server that can be cut, silenced and mended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname or "", parts.port or 5432)
        self._writers: set[asyncio.StreamWriter] = set()
        self.is_silent = False

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(*self._target)
        self._writers |= {writer, there_writer}
        try:
            with contextlib.suppress(ConnectionError):
                await asyncio.gather(
                    self._carry(reader, there_writer), self._carry(there_reader, writer)
                )
        finally:
            for end in (writer, there_writer):
                end.transport.abort()
                end.close()
                with contextlib.suppress(ConnectionError):
                    await end.wait_closed()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if not self.is_silent:
                writer.write(data)
        writer.close()

    def cut(self) -> None:
        """Break every connection."""
        for writer in self._writers:
            writer.transport.abort()
        self._writers.clear()


@contextlib.asynccontextmanager
async def behind(url: str, wire: Wire, *, port: int = 0) -> AsyncIterator[str]:
    """Yield ``url`` with ``wire`` in place of its server."""
    server = await asyncio.start_server(wire, "127.0.0.1", port)
    taken = server.sockets[0].getsockname()[1]
    parts = urlsplit(url)
    login = f"{parts.username}:{parts.password or ''}"
    try:
        yield urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{taken}"))
    finally:
        server.close()


async def select_one(pool: Pool) -> object:
    async with pool.acquire() as connection:
        return await connection.fetchval("SELECT 1")


async def kept(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM kept"))
    finally:
        await connection.close()


@pytest.mark.edge_case("EC-DB-001")
async def test_a_statement_whose_connection_is_lost_is_repeated_after_a_pause(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    line = Line(url)
    async with behind(url, line) as through, open_pool(through, name="edges", size=1) as pool:
        tries = 0

        async def ask() -> object:
            nonlocal tries
            tries += 1
            async with pool.acquire() as connection:
                if tries == 1:
                    asyncio.get_running_loop().call_later(0.1, line.cut)
                    return await connection.fetchval("SELECT pg_sleep(5)")
                return await connection.fetchval("SELECT 7")

        with caplog.at_level(logging.WARNING):
            assert await repeating(ask, within_s=10) == 7
    assert tries == 2
    assert "transaction.repeated" in caplog.text


@pytest.mark.edge_case("EC-DB-002", "EC-PF-011")
async def test_who_finds_the_pool_empty_waits_for_a_turn_or_is_told_in_time(pool: Pool) -> None:
    async with pool.acquire(), pool.acquire():
        with pytest.raises(TimeoutError):
            await pool.acquire(timeout=0.1)
        waiting = asyncio.create_task(select_one(pool))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    assert await waiting == 1
    assert await asyncio.gather(*(select_one(pool) for _ in range(50))) == [1] * 50


@pytest.mark.edge_case("EC-RC-011")
async def test_a_connection_is_in_one_hand_at_a_time(url: str) -> None:
    in_hand: set[int] = set()

    async def hold(pool: Pool) -> None:
        async with pool.acquire() as connection:
            process = int(await connection.fetchval("SELECT pg_backend_pid()"))
            assert process not in in_hand
            in_hand.add(process)
            await connection.fetchval("SELECT pg_sleep(0.002)")
            in_hand.remove(process)

    async with open_pool(url, name="edges", size=3) as pool:
        await asyncio.gather(*(hold(pool) for _ in range(100)))
    assert not in_hand


@pytest.mark.edge_case("EC-RC-012")
async def test_every_transaction_reads_what_is_committed_when_it_looks(pool: Pool) -> None:
    async with pool.acquire() as one, pool.acquire() as other, one.transaction():
        assert await one.fetchval("SHOW transaction_isolation") == "read committed"
        assert await one.fetchval("SELECT count(*) FROM kept") == 0
        async with other.transaction():
            await other.execute("INSERT INTO kept VALUES (1)")
            assert await one.fetchval("SELECT count(*) FROM kept") == 0
        assert await one.fetchval("SELECT count(*) FROM kept") == 1


@pytest.mark.edge_case("EC-DB-003")
async def test_a_server_that_is_down_at_the_start_is_awaited_and_told(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    parts = urlsplit(url)
    login = parts.netloc.rpartition("@")[0]
    later = urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))

    async def ask() -> object:
        async with open_pool(later, name="edges", size=1) as pool:
            return await select_one(pool)

    with caplog.at_level(logging.WARNING):
        asking = asyncio.create_task(ask())

        async def look() -> bool | None:
            return "connection.awaited" in caplog.text or None

        await until(look)
        async with behind(url, Line(url), port=port):
            assert await asyncio.wait_for(asking, 15) == 1


@pytest.mark.edge_case("EC-DB-004")
async def test_a_server_that_never_answers_is_given_up_in_time(url: str) -> None:
    async def silence(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with behind(url, silence) as nowhere:
        started = asyncio.get_running_loop().time()
        with pytest.raises(TimeoutError) as caught:
            await asyncpg.connect(nowhere, timeout=0.3)
        assert asyncio.get_running_loop().time() - started < 2
    assert isinstance(caught.value, PASSING)


@pytest.mark.edge_case("EC-DB-005")
async def test_a_split_network_opens_the_breaker_and_heals(url: str) -> None:
    line = Line(url)
    guard = Guard("database", threshold=2, reset_after_s=0.3)
    async with (
        behind(url, line) as through,
        open_pool(
            f"{through}?sslmode=disable", name="edges", size=1, statement_timeout_s=0.2
        ) as pool,
    ):

        async def ask() -> object:
            async with pool.acquire(timeout=0.5) as connection:
                return await connection.fetchval("SELECT 1", timeout=0.2)

        assert await guard.run(ask) == 1
        line.is_silent = True
        for _ in range(2):
            with pytest.raises(PASSING):
                await guard.run(ask)
        with pytest.raises(CircuitOpenError):
            await guard.run(ask)
        line.is_silent = False
        line.cut()

        async def look() -> object:
            with contextlib.suppress(CircuitOpenError, *PASSING):
                return await guard.run(ask)
            return None

        assert await until(look, timeout_s=10) == 1
        assert guard.state == "closed"


@pytest.mark.edge_case("EC-DB-006")
async def test_a_statement_that_lasts_too_long_is_cut_by_the_server_and_told(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    async def ask() -> object:
        async with pool.acquire() as connection:
            return await connection.fetchval("SELECT pg_sleep(60)")

    with caplog.at_level(logging.WARNING), pytest.raises(asyncpg.QueryCanceledError):
        await repeating(ask, within_s=1.5)
    assert "transaction.repeated" in caplog.text
    assert await select_one(pool) == 1


@pytest.mark.edge_case("EC-DB-007")
async def test_a_connection_nobody_gives_back_is_cut_when_the_pool_closes(url: str) -> None:
    async with open_pool(url, name="leaking", size=1, statement_timeout_s=60) as pool:
        connection = await pool.acquire()
        process = await connection.fetchval("SELECT pg_backend_pid()")
    watching = await asyncpg.connect(url)
    try:
        alive = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1"

        async def look() -> bool | None:
            return not await watching.fetchval(alive, process) or None

        await until(look, timeout_s=5)
    finally:
        await watching.close()


@pytest.mark.edge_case("EC-DB-008")
async def test_a_server_whose_certificate_has_expired_is_refused_by_name(
    url: str, tmp_path: Path
) -> None:
    context = expired_identity(tmp_path)

    async def speak_tls(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(8)
        writer.write(b"S")
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            await writer.start_tls(context)
        writer.close()

    async with behind(url, speak_tls) as through:
        wanted = f"{through}?sslmode=verify-ca&sslrootcert={tmp_path / 'certificate.pem'}"

        async def enter() -> None:
            async with open_pool(wanted, name="edges", size=1):
                pytest.fail("an expired certificate was accepted")

        with pytest.raises(LoginRefusedError, match=r"certificate has expired.*renew it"):
            await asyncio.wait_for(enter(), 10)


@pytest.mark.edge_case("EC-DB-010")
async def test_who_loses_a_deadlock_tries_again_and_both_finish(
    pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    await pool.execute("INSERT INTO kept VALUES (1), (2)")
    both_hold_one = asyncio.Barrier(2)

    async def take_both(first: int, second: int) -> bool:
        has_met = False

        async def take() -> bool:
            nonlocal has_met
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT FROM kept WHERE number = $1 FOR UPDATE", first)
                if not has_met:
                    has_met = True
                    await both_hold_one.wait()
                await connection.execute("SELECT FROM kept WHERE number = $1 FOR UPDATE", second)
            return True

        return await repeating(take, within_s=10)

    with caplog.at_level(logging.WARNING):
        assert all(await asyncio.gather(take_both(1, 2), take_both(2, 1)))
    assert "transaction.repeated" in caplog.text


@pytest.mark.edge_case("EC-DB-011")
async def test_a_transaction_left_idle_too_long_is_rolled_back(pool: Pool, url: str) -> None:
    async def dawdle() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO kept VALUES (1)")
            await asyncio.sleep(1.5)
            await connection.execute("INSERT INTO kept VALUES (2)")

    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, ConnectionError)):
        await dawdle()
    assert await kept(url) == 0
    assert await select_one(pool) == 1


@pytest.mark.edge_case("EC-DB-012")
async def test_a_failure_within_takes_the_whole_transaction_back(pool: Pool, url: str) -> None:
    async def fail_within() -> None:
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("INSERT INTO kept VALUES (1)")
            async with connection.transaction():
                await connection.execute("INSERT INTO kept VALUES (2), (2)")

    with pytest.raises(asyncpg.UniqueViolationError):
        await fail_within()
    assert await kept(url) == 0


@pytest.mark.edge_case("EC-DB-013")
async def test_a_connection_closed_within_a_transaction_commits_nothing(url: str) -> None:
    line = Line(url)
    async with behind(url, line) as through, open_pool(through, name="edges", size=1) as pool:

        async def be_cut_off() -> None:
            async with pool.acquire() as connection, connection.transaction():
                await connection.execute("INSERT INTO kept VALUES (1)")
                line.cut()
                await connection.execute("INSERT INTO kept VALUES (2)")

        with pytest.raises(PASSING):
            await be_cut_off()
        assert await kept(url) == 0
        assert await repeating(lambda: select_one(pool), within_s=5) == 1


async def test_a_login_that_is_refused_says_what_to_mend() -> None:
    async def enter() -> None:
        raise asyncpg.InvalidCatalogNameError('database "nowhere" does not exist')

    with pytest.raises(LoginRefusedError, match=r"postgresql does not let us in .*in its URL"):
        await connecting(enter, to="postgresql")


def expired_identity(folder: Path) -> ssl.SSLContext:
    """Return the server side of a certificate that was valid until yesterday."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=30))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    public = folder / "certificate.pem"
    public.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    private = folder / "key.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(public, private)
    return context
