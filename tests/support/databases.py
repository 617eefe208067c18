"""Databases of their own for tests, made from a template that is migrated once."""

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import asyncpg

from libs.postgres.migrations import migrate

_templates: dict[tuple[str, ...], str] = {}


def on_server(url: str, database: str) -> str:
    """Return ``url`` with another database."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def _template(server_url: str, packages: tuple[str, ...]) -> str:
    """Return the name of a database to which ``packages`` are applied, making it on first use."""
    if packages not in _templates:
        digest = hashlib.sha256("".join(packages).encode()).hexdigest()[:12]
        name = f"template_{digest}_{os.getpid()}"
        await execute(server_url, f"CREATE DATABASE {name}")
        await migrate(on_server(server_url, name), *packages)
        _templates[packages] = name
    return _templates[packages]


async def execute(server_url: str, *commands: str) -> None:
    """Run ``commands`` one by one outside a transaction."""
    connection = await asyncpg.connect(server_url)
    try:
        for command in commands:
            await connection.execute(command)
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def fresh_database(server_url: str, *packages: str) -> AsyncIterator[str]:
    """Yield the URL of a new database with ``packages`` applied; drop it after."""
    template = await _template(server_url, packages)
    name = f"test_{uuid4().hex[:16]}"
    await execute(server_url, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")
    try:
        yield on_server(server_url, name)
    finally:
        await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")


async def drop_templates(server_url: str) -> None:
    """Drop the templates this run has made."""
    while _templates:
        _, name = _templates.popitem()
        await execute(server_url, f"DROP DATABASE {name} WITH (FORCE)")
