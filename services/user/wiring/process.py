"""A process of the user service: HTTP server, relay and loops, together until told to stop."""

import asyncio
import base64
import binascii
import contextlib
import logging
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

from contracts import topology
from libs.broker.connection import Broker, open_broker
from libs.clock import Clock, open_clock, parse_clock
from libs.eventstore.sealing import KEY_BYTES, KeyRing
from libs.httpapi.keys import ApiKeys, load_api_keys
from libs.httpapi.operations import Serve, operations_alone
from libs.httpapi.serve import HttpServer
from libs.outbox import Relay
from libs.postgres import migrations
from libs.postgres.pool import open_pool
from libs.postgres.replica import NotAReplicaError, Replica, open_replica
from libs.postgres.types import Pool
from libs.runtime.health import Health
from libs.runtime.loops import Loop, supervise
from libs.runtime.process import StartupError
from libs.runtime.stopping import current_stopping
from services.user.adapters.store import Store
from services.user.entrypoints.checks import database_check, outbox_check
from services.user.entrypoints.loops import outbox_loop, relay_loop, replica_loop, upkeep_loop
from services.user.settings import UserSettings

logger = logging.getLogger(__name__)

NAME = "user"
ROLES = ("api", "relay")
MIGRATIONS = (
    "libs.outbox.migrations",
    "libs.httpapi.rates.migrations",
    "services.user.migrations",
)
# The relay closes a gap in the outbox only after longer than any statement may last.
STATEMENT_TIMEOUT_S = 30.0
# Few people make a plan of their own look cheaper than the one for all; it never is.
PLANNING = {"plan_cache_mode": "force_generic_plan"}


async def migrate(settings: UserSettings) -> None:
    """Apply what the database lacks."""
    applied = await migrations.migrate(settings.database_url, *MIGRATIONS)
    logger.info("migrations.applied", extra={"migrations": applied})


async def run(settings: UserSettings, roles: frozenset[str]) -> None:
    """Run ``roles`` in this process until it is told to stop.

    Raises:
        StartupError: the database lacks migrations, or a file of keys cannot be used.
    """
    keys = KeyRing(_master_key(settings))
    parse_clock(settings.jubilee_clock, env=settings.jubilee_env)  # before waiting for servers
    auth = _api_keys(settings) if "api" in roles else None
    async with open_pool(
        settings.database_url,
        name=NAME,
        size=settings.pool_size,
        statement_timeout_s=STATEMENT_TIMEOUT_S,
        settings=PLANNING,
    ) as pool:
        await _refuse_old_tables(pool)
        store = Store(pool, keys)
        async with (
            open_clock(pool, settings.jubilee_clock, env=settings.jubilee_env) as clock,
            _replica_of(settings, roles) as replica,
        ):
            await _supervise(settings, store, clock, roles=roles, auth=auth, replica=replica)


@contextlib.asynccontextmanager
async def _replica_of(
    settings: UserSettings, roles: frozenset[str]
) -> AsyncIterator[Replica | None]:
    """Yield the replica that answers reads, if there is one and this process answers any."""
    if settings.replica_database_url is None or "api" not in roles:
        yield None
        return
    try:
        async with open_replica(
            settings.replica_database_url,
            primary_url=settings.database_url,
            name=NAME,
            size=settings.pool_size,
            max_lag_s=settings.replica_max_lag_s,
        ) as replica:
            yield replica
    except NotAReplicaError as error:
        raise StartupError(f"USER_REPLICA_DATABASE_URL {error}") from error


async def _supervise(
    settings: UserSettings,
    store: Store,
    clock: Clock,
    *,
    roles: frozenset[str],
    auth: ApiKeys | None,
    replica: Replica | None,
) -> None:
    health = Health(current_stopping())
    health.add("database", database_check(store))
    loops: list[Loop] = []
    servers: list[HttpServer | RelayServer] = []
    if "relay" in roles:
        relay = RelayServer(settings, store)
        health.add("broker", relay.check)
        health.add("outbox", outbox_check(store, age_max_s=settings.outbox_age_max_s))
        loops.append(_upkeep(settings, store, clock))
        servers.append(relay)
    if replica is not None:
        loops.append(replica_loop(replica))
    http = HttpServer(
        _app(settings, store, clock, auth=auth, health=health, replica=replica),
        settings.http_host,
        settings.http_port,
        drain_timeout_s=settings.drain_timeout_s,
    )
    http.bind()
    logger.info("process.started", extra={"roles": sorted(roles), "http_port": http.port})
    await supervise(loops, [http, *servers], drain_timeout_s=settings.drain_timeout_s)


def _api_keys(settings: UserSettings) -> ApiKeys:
    return load_api_keys(
        settings.api_keys_file, env=settings.jubilee_env, variable="USER_API_KEYS_FILE"
    )


def _app(
    settings: UserSettings,
    store: Store,
    clock: Clock,
    *,
    auth: ApiKeys | None,
    health: Health,
    replica: Replica | None,
) -> Serve:
    if auth is None:
        return operations_alone(health)
    # Only who serves an API holds the 20 MiB that it imports.
    from services.user.wiring.serving import make_api  # noqa: PLC0415

    return make_api(settings, store, clock, auth=auth, health=health, replica=replica)


def _upkeep(settings: UserSettings, store: Store, clock: Clock) -> Loop:
    return upkeep_loop(
        store,
        clock,
        keys_kept=timedelta(days=settings.idempotency_days),
        retention=timedelta(days=settings.retention_days),
        pause_s=settings.upkeep_pause_s,
    )


class RelayServer:
    """The relay and its broker. While the broker is waited for, the API serves: facts can wait."""

    name = "relay"

    def __init__(self, settings: UserSettings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._broker: Broker | None = None
        self._work: asyncio.Future[None] | None = None
        self._is_given_up = False

    async def serve(self) -> None:
        """Connect, declare the whole topology, and publish until the process drains."""
        self._work = asyncio.ensure_future(self._connect_and_relay())
        try:
            await self._work
        except asyncio.CancelledError:
            if not self._is_given_up:
                raise

    async def stop(self) -> None:
        """Give up waiting for a broker that is not there; the loops end by themselves."""
        if self._work is not None and self._broker is None:
            self._is_given_up = True
            self._work.cancel()

    async def check(self) -> str | None:
        """Return why nothing can be published, for ``Health.add``."""
        if self._broker is None or not await self._broker.is_reachable():
            return "the broker does not answer"
        return None

    async def _connect_and_relay(self) -> None:
        async with open_broker(self._settings.broker_url, name=NAME) as broker:
            await broker.declare(topology.EXCHANGES, topology.WORK_QUEUES + topology.DEAD_QUEUES)
            self._broker = broker
            await asyncio.gather(*(loop.run() for loop in self._loops(broker)))

    def _loops(self, broker: Broker) -> list[Loop]:
        relay = Relay(
            self._store.pool,
            broker.publisher,
            name=NAME,
            batch_rows=self._settings.relay_batch_rows,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            page=timedelta(seconds=self._settings.outbox_kept_s),
        )
        return [
            relay_loop(relay, pause_s=self._settings.relay_pause_s),
            outbox_loop(relay, pause_s=self._settings.upkeep_pause_s),
        ]


async def _refuse_old_tables(pool: Pool) -> None:
    async with pool.acquire() as connection:
        missing = await migrations.pending(connection, *MIGRATIONS)
    if missing:
        raise StartupError(
            f"the database lacks {len(missing)} migrations: run python -m services.user migrate"
        )


def _master_key(settings: UserSettings) -> bytes | None:
    """Return the key that wraps the keys of people; only production insists on one."""
    if settings.master_key_file is None:
        if settings.jubilee_env == "production":
            raise StartupError("USER_MASTER_KEY_FILE is not set: production needs a master key")
        return None
    try:
        key = base64.b64decode(Path(settings.master_key_file).read_bytes().strip(), validate=True)
    except OSError as error:
        raise StartupError(f"cannot read USER_MASTER_KEY_FILE: {error.strerror}") from error
    except binascii.Error as error:
        raise StartupError("USER_MASTER_KEY_FILE must hold base64") from error
    if len(key) != KEY_BYTES:
        raise StartupError(f"USER_MASTER_KEY_FILE must hold {KEY_BYTES} bytes in base64")
    return key
