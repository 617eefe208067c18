"""Processes that die at an exact point, as often as a test wants, and are started again."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest

from tests.faults.proxy import KillSwitch, Point, killing_proxy
from tests.support.town import Town


class Victim:
    """One process of a town whose words to PostgreSQL pass a kill switch."""

    def __init__(
        self,
        town: Town,
        name: str,
        roles: tuple[str, ...],
        *,
        env: Mapping[str, str],
        switch: KillSwitch,
    ) -> None:
        self._town = town
        self._name = name
        self._roles = roles
        self._env = dict(env)
        self.switch = switch

    async def start(
        self,
        sql: str = "",
        point: Point = Point.BEFORE_STATEMENT,
        *,
        is_awaited: bool = True,
    ) -> None:
        """Start it, to die where ``sql`` reaches ``point``; without ``sql`` to live."""
        self.switch.set(sql, point)
        is_awaited = is_awaited and not sql
        await self._town.start(self._name, roles=self._roles, env=self._env, is_awaited=is_awaited)

    async def died(self) -> None:
        """Wait until it is dead."""
        async with asyncio.timeout(60):
            await self.switch.fired.wait()
        await self._town.system.wait(self._name)

    async def stop(self, **env: str) -> None:
        """Stop it in good order; what is started next has the settings ``env`` too."""
        await self._town.system.stop(self._name)
        self._env |= env

    @contextlib.asynccontextmanager
    async def dying(self, sql: str, point: Point) -> AsyncIterator[None]:
        """Have the running process die there by what is done inside; start it again, to live."""
        self.switch.set(sql, point)
        yield
        await self.died()
        await self.start()

    async def hangs_up(self, method: str, path: str, body: Any = None) -> None:
        """Send a request by which it dies: nobody gets an answer."""
        with pytest.raises(aiohttp.ClientError):
            await self._town.call(method, self._name, path, body=body)


@contextlib.asynccontextmanager
async def a_victim(
    town: Town, name: str, *roles: str, env: Mapping[str, str] | None = None
) -> AsyncIterator[Victim]:
    """Yield a process that is not started yet."""
    database = f"{name.split('-', maxsplit=1)[0].upper()}_DATABASE_URL"
    switch = KillSwitch()
    switch.kill = lambda: town.system.kill(name)
    async with killing_proxy(town.env[database], switch) as proxied:
        yield Victim(town, name, roles, env={**(env or {}), database: proxied}, switch=switch)


async def count(town: Town, service: str, table: str, where: str = "TRUE") -> int:
    """Return how many rows of a table there are."""
    [rows] = await town.ask(service, f"SELECT count(*) FROM {table} WHERE {where}")  # noqa: S608
    number: int = rows
    return number
