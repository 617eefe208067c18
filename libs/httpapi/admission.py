"""Who comes in: finds out who calls and lets nobody in too often, before anything else is done.

Whoever shows a valid key or token is known by it; everybody else by the address of their
connection. What a client writes about itself into ``X-Forwarded-For`` counts only where the
connection comes from a proxy the operator named.
"""

import math
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from libs.httpapi.auth import Callers
from libs.httpapi.problems import refuse, standard_problem
from libs.httpapi.rates import RateLimiter, Verdict
from libs.runtime.process import StartupError

Network = IPv4Network | IPv6Network
Headers = list[tuple[bytes, bytes]]

_IPV6_SITE_BITS: Final = 64
"""One customer commonly has all addresses of such a network."""


class Limits:
    """The rates of those who are known and of those who are not, and the proxies that are ours."""

    def __init__(
        self, known: RateLimiter, unknown: RateLimiter, trusted_proxies: Sequence[Network] = ()
    ) -> None:
        self._known = known
        self._unknown = unknown
        self._trusted = tuple(trusted_proxies)
        self._policies = {one: _policy(one) for one in (known, unknown)}

    async def judge(
        self, caller: str | None, scope: HTTPScope, headers: Mapping[bytes, bytes]
    ) -> tuple[Verdict, Headers]:
        """Return the verdict on a request and the headers that tell it."""
        limiter = self._unknown if caller is None else self._known
        name = peer_of(scope, headers, self._trusted) if caller is None else caller
        verdict = await limiter.take(name)
        left = b'"default";r=%d;t=%d' % (verdict.remaining, math.ceil(verdict.whole_after_s))
        return verdict, [(b"ratelimit-policy", self._policies[limiter]), (b"ratelimit", left)]


class Admission:
    """Notes who calls as ``state.caller`` and answers 429 to those who come too often."""

    def __init__(self, app: ASGIApp, callers: Callers, limits: Limits | None) -> None:
        self._app = app
        self._callers = callers
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, unless its caller is over the limit."""
        if scope["type"] != ScopeType.HTTP:
            await self._app(scope, receive, send)
            return
        headers = dict(scope["headers"])
        caller = await self._callers.find(headers)
        state = scope["state"]
        state["caller"] = caller
        if self._limits is not None:
            key = None if caller is None else caller.key_id
            verdict, state["told"] = await self._limits.judge(key, scope, headers)
            if not verdict.is_admitted:
                wait = str(max(1, math.ceil(verdict.retry_after_s)))
                await refuse(scope, send, standard_problem(429, Retry_After=wait))
                return
        await self._app(scope, receive, send)


def peer_of(
    scope: HTTPScope, headers: Mapping[bytes, bytes], trusted_proxies: Sequence[Network]
) -> str:
    """Return the address a request comes from, of IPv6 the network of its site.

    Behind trusted proxies it is the last address in ``X-Forwarded-For`` that is not theirs.
    """
    client = scope.get("client")
    peer = client[0] if client else ""
    if trusted_proxies and _is_among(peer, trusted_proxies):
        forwarded = headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        for address in map(str.strip, reversed(forwarded)):
            if not _is_address(address):
                break
            peer = address
            if not _is_among(address, trusted_proxies):
                break
    return _site(peer)


def parse_networks(text: str, *, variable: str) -> tuple[Network, ...]:
    """Return the networks of a comma-separated list such as ``10.0.0.0/8,::1``.

    Raises:
        StartupError: one of them is none.
    """
    try:
        return tuple(ip_network(one.strip()) for one in text.split(",") if one.strip())
    except ValueError as error:
        raise StartupError(f"{variable}: give networks such as 10.0.0.0/8, by commas") from error


def _policy(limiter: RateLimiter) -> bytes:
    return b'"default";q=%d;w=%d' % (limiter.rate.burst, limiter.rate.window_s)


def _site(peer: str) -> str:
    if ":" not in peer or not _is_address(peer):
        return peer
    address = IPv6Address(peer.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Network((address, _IPV6_SITE_BITS), strict=False))


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _is_among(peer: str, networks: Sequence[Network]) -> bool:
    return _is_address(peer) and any(ip_address(peer) in network for network in networks)
