"""Virtual hosts of their own for tests, on the real broker, through its management API."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiohttp


@contextlib.asynccontextmanager
async def fresh_vhost(amqp_url: str, api_url: str) -> AsyncIterator[str]:
    """Yield the AMQP URL of a new virtual host; delete it after."""
    parts = urlsplit(amqp_url)
    name = f"test-{uuid4().hex[:16]}"
    auth = aiohttp.encode_basic_auth(parts.username or "guest", parts.password or "guest")
    headers = {"Authorization": auth}
    async with aiohttp.ClientSession(headers=headers, raise_for_status=True) as session:
        target = f"{_without_credentials(api_url)}/vhosts/{name}"
        async with session.put(target):
            pass
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            async with session.delete(target):
                pass


def _without_credentials(url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
