"""A replica that is asked only while it is known to lag less than a bound.

Its lag is not what it says of itself. At a known time the primary is asked how far its log has
come; once the replica shows that position, it shows everything that was acknowledged before that
time. So an idle primary is no lag, and a replay that stands still is no idleness.
"""

import asyncio
import contextlib
import logging
import math
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Final
from weakref import WeakSet

import asyncpg
import msgspec

from libs.clock import monotonic_s
from libs.postgres.pool import open_pool
from libs.postgres.sql import SQL
from libs.postgres.types import Connection, Pool
from libs.telemetry.metrics import declare_counter, declare_gauge

logger = logging.getLogger(__name__)

CHECKS_PER_BOUND: Final = 5
CALM_CHECKS: Final = 5
"""A replica that was left is used again after so many checks in a row at half the bound or less."""
MARKS_MAX: Final = 128
STATEMENT_TIMEOUT_S: Final = 3.0
"""Short, since whoever waits for a replica that hangs has the primary still to ask."""
LOOK_TIMEOUT_S: Final = 1.0
"""An unanswered look tells nothing; meanwhile what is known gets older."""

LAG_S: Final = declare_gauge(
    "jubilee_replica_lag_seconds",
    "Real age of the newest moment up to which the replica was seen to hold everything.",
)
IS_USED: Final = declare_gauge(
    "jubilee_replica_is_used", "1 while reads may go to the replica, 0 while all go to the primary."
)
READS: Final = declare_counter(
    "jubilee_reads_total",
    "Reads where a replica is configured, by who answered; both: the replica could not.",
    {"source": ("replica", "primary", "both")},
)

_AWAY = (
    OSError,
    TimeoutError,
    asyncio.IncompleteReadError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_TO_BE_CUT = frozenset({"unreachable", "another_server"})
"""Faults after which whoever still waits for the replica would wait in vain."""


class NotAReplicaError(Exception):
    """What was given as a replica is none of this primary; the text says what it is."""


class AnotherServerError(asyncpg.InternalClientError):
    """The replica's address leads to another server than before, or to a later life of it."""


class OneServer:
    """Has all connections of a pool lead to one life of one server.

    Behind an address that stands for several replicas, what is seen through one connection would
    not hold for the others.
    """

    def __init__(self) -> None:
        self._started_at: datetime | None = None
        self._connections: WeakSet[Connection] = WeakSet()

    async def admit(self, connection: Connection) -> None:
        """Let a connection in that leads where the first one led.

        Raises:
            AnotherServerError: it does not.
        """
        started_at = await connection.fetchval(SQL.read_start)
        if self._started_at not in {None, started_at}:
            raise AnotherServerError
        self._started_at = started_at
        self._connections.add(connection)

    def cut(self) -> None:
        """End all connections: whoever waits on one is told at once. The next one is the first."""
        self._started_at = None
        for connection in list(self._connections):
            connection.terminate()


class Position(msgspec.Struct, frozen=True):
    """What a server is, and how far it has come in the log; see ``read_position.sql``."""

    is_replica: bool
    cluster: int
    database: str
    timeline: int
    position: int | None


class Progress:
    """Says up to when a replica holds everything, from positions of its primary at known times."""

    def __init__(self) -> None:
        self.caught_up_s = -math.inf
        self._marks: list[tuple[float, int]] = []

    def mark(self, position: int, *, at_s: float) -> None:
        """Note that what was acknowledged before ``at_s`` lies before ``position``."""
        self._marks.append((at_s, position))
        if len(self._marks) > MARKS_MAX:
            del self._marks[1::2]  # with fewer marks less is known, never more

    def reach(self, position: int) -> None:
        """Note that the replica shows everything before ``position``."""
        reached = [at_s for at_s, marked in self._marks if marked <= position]
        if reached:
            self.caught_up_s = reached[-1]
            del self._marks[: len(reached)]


class Replica:
    """A pool of a replica, and whether it may be asked now.

    It may while everything acknowledged more than ``max_lag_s`` ago was seen to be there. Whoever
    calls ``check`` every ``check_pause_s`` keeps that true; without checks it ceases by itself.
    """

    def __init__(self, primary: Pool, pool: Pool, server: OneServer, *, max_lag_s: float) -> None:
        self.pool = pool
        self.check_pause_s = max_lag_s / CHECKS_PER_BOUND
        self._primary = primary
        self._server = server
        self._max_lag_s = max_lag_s
        self._progress = Progress()
        self._shown = 0
        self._is_used = False
        self._calm_checks = 0
        self._fault = ""
        IS_USED.set(0)

    @property
    def lag_s(self) -> float:
        """How old the newest moment is up to which the replica was seen to hold everything."""
        return monotonic_s() - self._progress.caught_up_s

    def may_answer(self, lag_s: float) -> bool:
        """Tell whether a read may go there that takes what is up to ``lag_s`` old."""
        return self._is_used and self.lag_s <= min(lag_s, self._max_lag_s)

    def note_broken(self) -> None:
        """Ask it no more until checks find it well: a read has failed there."""
        self._leave("broken")

    async def check(self) -> None:
        """Look at both servers and decide whether the replica may be asked from now on."""
        fault = await self._find_fault()
        is_late = self.lag_s > self._max_lag_s
        if fault == "unreachable" and not is_late:
            self._calm_checks = 0  # one look that failed tells nothing
        elif fault or is_late:
            if fault in _TO_BE_CUT:
                self._server.cut()
            self._leave(fault or "lagging")
        else:
            self._stay()
        LAG_S.set(self.lag_s)

    async def _find_fault(self) -> str:
        try:
            async with asyncio.timeout(LOOK_TIMEOUT_S):
                return await self._look()
        except asyncpg.TargetServerAttributeNotMatched:
            return "promoted"
        except AnotherServerError:
            return "another_server"
        except _AWAY:
            return "unreachable"

    async def _look(self) -> str:
        """Note how far both have come; return why the replica is none of this primary, if so."""
        async with self._primary.acquire() as connection:
            at_s = monotonic_s()
            primary = await read_position(connection)
        # With a time-out of its own, which holds for giving up what was asked as well.
        async with self.pool.acquire(timeout=LOOK_TIMEOUT_S) as connection:
            replica = await read_position(connection)
        fault = _fault_between(primary, replica)
        # What it showed at the last look was no part of the primary's log: another history.
        if not fault and (primary.position or 0) < self._shown:
            fault = "diverged"
        if fault:
            self._progress, self._shown = Progress(), 0
        elif primary.position is not None and replica.position is not None:
            self._progress.mark(primary.position, at_s=at_s)
            self._progress.reach(replica.position)
            self._shown = replica.position
        return fault

    def _stay(self) -> None:
        is_calm = self.lag_s <= self._max_lag_s / 2
        self._calm_checks = self._calm_checks + 1 if is_calm else 0
        if self._calm_checks >= CALM_CHECKS and not self._is_used:
            self._is_used, self._fault = True, ""
            IS_USED.set(1)
            logger.info("replica.used", extra={"lag_s": round(self.lag_s, 3)})

    def _leave(self, fault: str) -> None:
        if self._is_used or fault != self._fault:
            logger.warning("replica.left", extra={"reason": fault, "was_used": self._is_used})
        self._is_used, self._fault, self._calm_checks = False, fault, 0
        IS_USED.set(0)


@contextlib.asynccontextmanager
async def open_replica(
    url: str,
    *,
    primary_url: str,
    name: str,
    size: int,
    max_lag_s: float,
) -> AsyncIterator[Replica]:
    """Yield the replica at ``url`` of a primary that is up; nobody waits for the replica.

    The primary is looked at through a connection of its own, so that reads which fill a pool do
    not make the replica look worse than it is.

    Raises:
        NotAReplicaError: the server is up and is no replica of this primary.
    """
    await _refuse_others(url, primary_url)
    server = OneServer()
    async with (
        open_pool(primary_url, name=f"{name}-lag", size=1) as primary,
        open_pool(
            url,
            name=f"{name}-replica",
            size=size,
            statement_timeout_s=STATEMENT_TIMEOUT_S,
            is_replica=True,
            admit=server.admit,
        ) as pool,
    ):
        yield Replica(primary, pool, server, max_lag_s=max_lag_s)


async def read_position(connection: Connection) -> Position:
    """Return what the server of ``connection`` is and how far it has come."""
    row = await connection.fetchrow(SQL.read_position)
    if row is None:
        raise TypeError("the statement always returns a row")
    return Position(**row)


def _fault_between(primary: Position, replica: Position) -> str:
    """Return why ``replica`` does not replay the log of ``primary``, empty if it may."""
    if not replica.is_replica:
        return "promoted"
    if (primary.cluster, primary.database) != (replica.cluster, replica.database):
        return "foreign"
    return "" if primary.timeline == replica.timeline else "other_timeline"


async def _refuse_others(url: str, primary_url: str) -> None:
    try:
        replica = await _position_at(url)
    except _AWAY as error:
        logger.warning("replica.unreachable", extra={"reason": type(error).__name__})
        return
    primary = await _position_at(primary_url)
    if not replica.is_replica and primary.is_replica:
        raise NotAReplicaError("leads to the primary, and the other URL to a replica: swap them")
    if not replica.is_replica:
        raise NotAReplicaError("leads to a server that is no replica")
    if (primary.cluster, primary.database) != (replica.cluster, replica.database):
        raise NotAReplicaError("leads to a replica of another cluster, or to another database")


async def _position_at(url: str) -> Position:
    connection = await asyncpg.connect(url, timeout=5, command_timeout=5)
    try:
        return await read_position(connection)
    finally:
        await connection.close()
