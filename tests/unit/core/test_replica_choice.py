"""When a replica is used, left and used again, at positions and times of our choosing."""

import contextlib
import math
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import msgspec
import pytest

from libs.postgres import replica as replicas
from libs.postgres.replica import CALM_CHECKS, AnotherServerError, OneServer, Position, Replica
from libs.postgres.types import Connection, Pool

BOUND_S = 1.25  # so that a fifth of it is exact


class Server:
    """A pool, its connection and its answer in one: what a server says of itself."""

    def __init__(self, *, is_replica: bool) -> None:
        self.started_at = datetime(2026, 6, 14, tzinfo=UTC)
        self.says = Position(is_replica, cluster=7, database="people", timeline=1, position=100)
        self.fault: Exception | None = None
        self.is_cut = False

    def now(self, **facts: Any) -> None:
        self.says = msgspec.structs.replace(self.says, **facts)

    @contextlib.asynccontextmanager
    async def acquire(self, **_limits: float) -> AsyncIterator["Server"]:
        if self.fault is not None:
            raise self.fault
        yield self

    async def fetchval(self, _statement: str) -> datetime:
        return self.started_at

    def terminate(self) -> None:
        self.is_cut = True

    async def fetchrow(self, _statement: str) -> dict[str, Any]:
        return msgspec.structs.asdict(self.says)


class Servers:
    """A primary and its replica; looks are taken as often as they should be."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.primary = Server(is_replica=False)
        self.copy = Server(is_replica=True)
        pools = cast("Pool", self.primary), cast("Pool", self.copy)
        self.one = OneServer()
        self.replica = Replica(*pools, self.one, max_lag_s=BOUND_S)

    @property
    def is_used(self) -> bool:
        return self.replica.may_answer(math.inf)

    async def look(self, times: int = 1) -> bool:
        for _ in range(times):
            self.now_s += self.replica.check_pause_s
            await self.replica.check()
        return self.is_used


@pytest.fixture
async def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    """Return servers whose replica is in use."""
    found = Servers()
    monkeypatch.setattr(replicas, "monotonic_s", lambda: found.now_s)
    assert not await found.look(CALM_CHECKS - 1)
    assert await found.look()
    return found


async def test_it_is_used_while_it_keeps_up(servers: Servers) -> None:
    for position in range(200, 220):
        servers.primary.now(position=position)
        servers.copy.now(position=position - 1)  # always one look behind
        assert await servers.look()
    assert 0 < servers.replica.lag_s <= 2 * servers.replica.check_pause_s


async def test_it_is_left_once_the_bound_is_over(servers: Servers) -> None:
    servers.primary.now(position=200)
    seen = [await servers.look() for _ in range(6)]
    assert seen == [True] * 5 + [False]


async def test_a_shorter_bound_of_the_caller_counts(servers: Servers) -> None:
    servers.primary.now(position=200)
    await servers.look(3)
    assert servers.replica.may_answer(BOUND_S)
    assert not servers.replica.may_answer(BOUND_S / 2)


async def test_without_looks_it_is_used_no_more(servers: Servers) -> None:
    servers.now_s += BOUND_S
    assert servers.is_used
    servers.now_s += 0.001
    assert not servers.is_used


async def test_it_does_not_come_back_while_it_lags_around_the_bound(servers: Servers) -> None:
    """Each look shows what the primary had four looks ago: below the bound, above half of it."""
    servers.primary.now(position=200)
    await servers.look(7)
    assert not servers.is_used
    for position in range(201, 231):
        servers.primary.now(position=position)
        servers.copy.now(position=position - 4)
        assert not await servers.look()
    servers.copy.now(position=230)
    assert [await servers.look() for _ in range(CALM_CHECKS)] == [False] * 4 + [True]


async def test_a_broken_read_ends_its_use_at_once(servers: Servers) -> None:
    servers.replica.note_broken()
    assert not servers.is_used
    assert [await servers.look() for _ in range(CALM_CHECKS)] == [False] * 4 + [True]


@pytest.mark.parametrize("server", ["primary", "copy"])
async def test_one_failed_look_is_survived_many_are_not(servers: Servers, server: str) -> None:
    getattr(servers, server).fault = OSError("away")
    assert await servers.look()
    assert not await servers.look(6)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"is_replica": False}, id="promoted"),
        pytest.param({"cluster": 8}, id="another cluster"),
        pytest.param({"database": "plans"}, id="another database"),
        pytest.param({"timeline": 2}, id="another timeline"),
    ],
)
async def test_what_is_no_replica_of_the_primary_is_left_at_once(
    servers: Servers, facts: dict[str, Any]
) -> None:
    servers.copy.now(**facts)
    assert not await servers.look()


async def test_a_replica_that_shows_more_than_its_primary_has_is_left(servers: Servers) -> None:
    """The primary's log goes back behind what was shown: it is another history."""
    servers.primary.now(position=50)
    assert not await servers.look()
    servers.primary.now(position=120)
    assert not await servers.look()


async def test_a_pool_that_would_lead_to_two_servers_is_emptied(servers: Servers) -> None:
    connection = cast("Connection", servers.copy)
    await servers.one.admit(connection)
    await servers.one.admit(connection)
    servers.copy.started_at += timedelta(seconds=1)
    with pytest.raises(AnotherServerError) as refused:
        await servers.one.admit(connection)
    servers.copy.fault = refused.value
    assert not await servers.look()
    assert servers.copy.is_cut
    servers.copy.fault = None
    await servers.one.admit(connection)
    assert await servers.look(CALM_CHECKS)


async def test_nothing_is_known_of_a_replica_that_has_replayed_nothing(servers: Servers) -> None:
    servers.copy.now(position=None)
    assert not await servers.look(6)
