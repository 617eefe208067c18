"""Serves an application on a port of its own for one test."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import aiohttp

from libs.httpapi.serve import HttpServer


@contextlib.asynccontextmanager
async def serving(app: Any, *, token: str = "") -> AsyncIterator[aiohttp.ClientSession]:
    """Yield a client of ``app`` behind a real socket, with the key ``token``."""
    server = HttpServer(app, "127.0.0.1", 0)
    server.bind()
    task = asyncio.create_task(server.serve())
    headers = {"authorization": f"Bearer {token}"} if token else {}
    address = f"http://127.0.0.1:{server.port}"
    async with aiohttp.ClientSession(address, headers=headers) as session:
        yield session
    await server.stop()
    await task
