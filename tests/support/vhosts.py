"""Virtual hosts of their own for tests, on the real broker, through its management API."""

import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import aiohttp


@contextlib.asynccontextmanager
async def fresh_vhost(amqp_url: str, api_url: str) -> AsyncIterator[str]:
    """Yield the AMQP URL of a new virtual host; delete it after."""
    parts = urlsplit(amqp_url)
    name = f"test-{uuid4().hex[:16]}"
    async with _session(amqp_url) as session:
        target = f"{_without_credentials(api_url)}/vhosts/{name}"
        async with session.put(target):
            pass
        try:
            yield urlunsplit(parts._replace(path=f"/{name}"))
        finally:
            async with session.delete(target):
                pass


async def cut_consumers(api_url: str, vhost_url: str) -> bool | None:
    """Have the broker close the consuming connections of a virtual host; None if it lists none."""
    api = _without_credentials(api_url)
    async with _session(vhost_url) as session:
        async with session.get(
            f"{api}/vhosts/{urlsplit(vhost_url).path[1:]}/connections"
        ) as answer:
            listed = await answer.json()
        names = [
            one["name"]
            for one in listed
            if not (one.get("user_provided_name") or "").endswith("publisher")
        ]
        for name in names:
            async with session.delete(f"{api}/connections/{quote(name, safe='')}"):
                pass
    return bool(names) or None


def _session(amqp_url: str) -> aiohttp.ClientSession:
    parts = urlsplit(amqp_url)
    auth = aiohttp.encode_basic_auth(parts.username or "guest", parts.password or "guest")
    return aiohttp.ClientSession(headers={"Authorization": auth}, raise_for_status=True)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url.rstrip("/"))
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
